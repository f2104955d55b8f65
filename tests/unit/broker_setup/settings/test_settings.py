"""The settings: where values come from, which one wins, and what is refused."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from broker_setup.errors import SettingsError
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from broker_setup.settings import Settings, load_settings
from broker_setup.settings.odd_keys import unknown_keys_warning
from broker_setup.settings.passive_graders import Grading

SECRET = "3f9c1b7e5a2d8046c4e1f7093b6d5a82"


def write(folder: Path, text: str) -> str:
    file = folder / "xqueue.yml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings, warnings = load_settings()
    assert settings == Settings()
    assert warnings == []


def test_the_originals_file_is_read_with_its_key_names_and_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        XQUEUES: {openedx: null, matlab: "http://grader.example/grade/"}
        USERS: {lms: password}
        SUBMISSION_PROCESSING_DELAY: 10
        REQUESTS_TIMEOUT: 7
        REQUESTS_BASIC_AUTH: [edx, gate]
        UPLOAD_URL_EXPIRE: 3600
    """
    monkeypatch.setenv("XQUEUE_CFG", write(tmp_path, text))
    settings, warnings = load_settings()
    assert settings.xqueues == {"openedx": None, "matlab": "http://grader.example/grade/"}
    assert settings.users["lms"].get_secret_value() == "password"
    assert settings.submission_processing_delay == 10
    assert settings.requests_timeout == 7
    assert settings.requests_basic_auth is not None
    assert settings.requests_basic_auth[0] == "edx"
    assert settings.requests_basic_auth[1].get_secret_value() == "gate"
    assert settings.upload_url_expire == 3600
    assert warnings == []


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_CFG", write(tmp_path, "{PORT: 1, REQUESTS_TIMEOUT: 9}"))
    monkeypatch.setenv("XQUEUE_PORT", "2")
    settings, _ = load_settings()
    assert (settings.port, settings.requests_timeout) == (2, 9)


def test_maps_and_lists_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_XQUEUES", '{"openedx": null, "c++": "https://grader.example"}')
    monkeypatch.setenv("XQUEUE_USERS", '{"lms": "a:b"}')
    monkeypatch.setenv("XQUEUE_RETRY_DELAYS", "[0.2, 60]")
    settings, _ = load_settings()
    assert settings.xqueues == {"openedx": None, "c++": "https://grader.example"}
    assert settings.users["lms"].get_secret_value() == "a:b"
    assert settings.retry_delays == (0.2, 60)


@pytest.mark.parametrize("value", ['["edx", "a:b"]', "edx:a:b"])
def test_basic_auth_is_a_pair_or_a_user_and_password_with_a_colon(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_REQUESTS_BASIC_AUTH", value)
    auth = load_settings()[0].requests_basic_auth
    assert auth is not None
    assert (auth[0], auth[1].get_secret_value()) == ("edx", "a:b")


def test_origins_are_read_in_their_normal_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_CALLBACK_ALLOWED_ORIGINS", '["https://LMS.example:443/", "http://lms:8000"]')
    monkeypatch.setenv("XQUEUE_CALLBACK_CREDENTIALS", '{"https://LMS.example/": ["user", "a:b"], "http://lms": "u:p"}')
    settings, _ = load_settings()
    assert settings.callback_allowed_origins == ("https://lms.example", "http://lms:8000")
    assert {
        origin: (user, password.get_secret_value())
        for origin, (user, password) in settings.callback_credentials.items()
    } == {
        "https://lms.example": ("user", "a:b"),
        "http://lms": ("u", "p"),
    }


@pytest.mark.parametrize("value", ["whsec_{0} whsec_{1}", '["whsec_{0}", "whsec_{1}"]', " whsec_{0}\nwhsec_{1} "])
def test_signing_keys_stand_in_one_text_or_in_a_list(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = 32 * "A", 32 * "B"
    monkeypatch.setenv("XQUEUE_CALLBACK_SIGNING_KEY", value.format(one, other))
    keys = load_settings()[0].callback_signing_key
    assert keys
    assert [key.get_secret_value() for key in keys] == [f"whsec_{one}", f"whsec_{other}"]


def test_an_empty_file_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_CFG", write(tmp_path, "# nothing yet\n"))
    assert load_settings() == (Settings(), [])


def test_keys_that_mean_nothing_here_are_named_once_and_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_CFG", write(tmp_path, "{DATABASES: {}, CACHES: {}, PORT: 5}"))
    monkeypatch.setenv("XQUEUE_PROT", "6")
    settings, warnings = load_settings()
    assert warnings == [unknown_keys_warning(["CACHES", "DATABASES", "XQUEUE_PROT"])]
    assert settings.port == 5


@pytest.mark.parametrize(
    ("unknown", "said"),
    [
        (["XQUEUE_PROT"], "XQUEUE_PROT (did you mean XQUEUE_PORT?)"),
        (["QUEUES", "port"], "QUEUES (did you mean XQUEUES?), port (did you mean PORT?)"),
        (["CACHES", "DATABASES"], "CACHES, DATABASES"),
        (["XQUEUE_PORT"], "XQUEUE_PORT (in a file it is PORT)"),
        (["XQUEUE_DATADIR"], "XQUEUE_DATADIR (did you mean XQUEUE_DATA_DIR?)"),
    ],
)
def test_the_warning_about_them_guesses_what_was_meant(unknown: list[str], said: str) -> None:
    assert unknown_keys_warning(unknown) == f"these settings mean nothing here: {said}"


@pytest.mark.parametrize("key", ["port", "Port", "_env_prefix", "self"])
def test_a_key_that_is_not_ours_to_the_letter_changes_nothing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XQUEUE_CFG", write(tmp_path, f"{key}: 5"))
    assert load_settings() == (Settings(), [unknown_keys_warning([key])])


def test_the_local_stacks_own_variables_are_not_taken_for_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_DATA_DIR", "/somewhere")
    assert load_settings()[1] == []


def test_secrets_are_the_current_one_and_then_the_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_SECRET_KEY", SECRET)
    monkeypatch.setenv("XQUEUE_SECRET_KEY_FALLBACKS", f'["{SECRET[::-1]}"]')
    assert load_settings()[0].secrets == (SECRET, SECRET[::-1])
    assert Settings().secrets == (SECRET, SECRET[::-1])


def test_no_secret_is_no_secrets() -> None:
    assert Settings().secrets == ()


def test_what_a_process_cannot_do_without_is_asked_for_by_name() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(require=("SECRET_KEY", "XQUEUES"))
    first, second = str(caught.value).split("\n")
    assert "SECRET_KEY is not set" in first
    assert "XQUEUE_SECRET_KEY" in first
    assert "XQUEUES is not set" in second


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_the_topology_is_that_of_the_queues_and_rungs_in_the_settings() -> None:
    topology = Settings(xqueues={"openedx": None}, retry_delays=(1,)).topology
    names = {queue.name for queue in topology.queues}
    assert {"xqueue.submissions.openedx", "xqueue.results.rung.1s"} <= names


def test_graders_that_are_called_are_those_with_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_XQUEUES", '{"openedx": null, "matlab": "http://g.example/x?y=1", "quick": "amqp"}')
    assert load_settings()[0].passive_graders == {"matlab": "http://g.example/x?y=1"}


def test_a_delivery_is_not_held_for_longer_than_a_lease_may_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_GRADING_TIMEOUT", "3600")
    monkeypatch.setenv("XQUEUE_GRADING_RETRY_DELAYS", json.dumps([1] * 12))
    assert load_settings()[0].grading_timeout == 3600  # nobody is called
    monkeypatch.setenv("XQUEUE_XQUEUES", '{"matlab": "http://g.example"}')
    with pytest.raises(SettingsError, match="add up to 46812 s for the queue 'matlab': must be 43200"):
        load_settings()


def test_a_poll_ends_before_clients_and_proxies_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings()[0].max_wait == 55
    monkeypatch.setenv("XQUEUE_MAX_WAIT", "61")
    with pytest.raises(SettingsError, match=r"^XQUEUE_MAX_WAIT: "):
        load_settings()


def test_a_queues_options_go_before_the_general_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_GRADING_CONCURRENCY", "7")
    options = {"grading_timeout": 90, "grading_retry_delays": [], "grading_concurrency": None}
    monkeypatch.setenv("XQUEUE_QUEUE_OPTIONS", json.dumps({"slow": options}))
    settings, _ = load_settings()
    assert settings.grading_of("slow") == Grading(timeout=90, concurrency=7, retry_delays=(), max_reply=1024 * 1024)
    assert settings.grading_of("other") == Grading(30, 7, (1, 5, 20, 60), 1024 * 1024)


def test_a_queue_that_would_hold_a_delivery_for_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_XQUEUES", '{"quick": "http://grader.example", "slow": "http://grader.example"}')
    options = {"grading_timeout": 3600, "grading_retry_delays": [1] * 12}
    monkeypatch.setenv("XQUEUE_QUEUE_OPTIONS", json.dumps({"slow": options}))
    with pytest.raises(SettingsError, match=r"add up to 46812 s for the queue 'slow': must be 43200 or less"):
        load_settings()


@pytest.mark.parametrize("key", ["LEDGER_WINDOW", "LEDGER_MAX_AGE"])
def test_no_less_of_the_ledger_is_kept_and_read_than_the_longest_lease_and_what_has_ended_need(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"XQUEUE_{key}", "86399")
    with pytest.raises(SettingsError, match=rf"{key}.* 86400"):
        load_settings()
    monkeypatch.setenv(f"XQUEUE_{key}", "86400")
    load_settings()


def test_what_gateways_read_at_start_is_kept_for_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_LEDGER_WINDOW", "200000")
    monkeypatch.setenv("XQUEUE_LEDGER_MAX_AGE", "100000")
    with pytest.raises(SettingsError, match=r"LEDGER_MAX_AGE is 100000 s: must be LEDGER_WINDOW \(200000 s\) or more"):
        load_settings()


def test_the_longest_lease_released_with_the_longest_delay_is_within_the_least_window() -> None:
    longest = Settings(submission_processing_delay=720, max_processing_delay=720)
    assert 2 * longest.max_processing_delay_of("openedx") <= 86_400
    assert CLOSED_SECONDS <= 86_400


def test_a_queue_may_be_named_by_a_number_in_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "xqueue.yml"
    file.write_text("XQUEUES: {6001: null, AT&T-x: null}\n")
    monkeypatch.setenv("XQUEUE_CFG", str(file))
    settings, *_ = load_settings()
    assert list(settings.xqueues) == ["6001", "AT&T-x"]


def test_a_student_is_told_after_a_day_unless_the_queue_says_otherwise() -> None:
    options = {"quick": {"notice_grace": 0}, "slow": {"notice_grace": 172800}, "plain": {"supersede": False}}
    settings = Settings(queue_options=options)
    graces = {queue: settings.notice_grace_of(queue) for queue in (*options, "other")}
    assert graces == {"quick": 0.0, "slow": 172800.0, "plain": 86400.0, "other": 86400.0}
    assert settings.notice_queues == ("xqueue.notices.24h", "xqueue.notices.48h")
    declared = {queue.name for queue in settings.topology.queues}
    assert declared >= set(settings.notice_queues)


def test_without_a_grace_there_is_no_queue_of_notices() -> None:
    assert Settings(notice_grace=0).notice_queues == ()
