"""A wrong value stops the start with the key, the value and what was expected - and never shows a secret."""

from pathlib import Path

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings, load_settings

PASSWORD = "hunter2"


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for key, value in environment.items():
        monkeypatch.setenv(f"XQUEUE_{key}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("PORT", "99999", "must be 65535 or less"),
        ("PORT", "eighty", "must be a whole number"),
        ("PUBLIC_URL", "xqueue.example", "valid URL"),
        ("PUBLIC_URL", "ftp://xqueue.example", "'http' or 'https'"),
        ("SUBMISSION_PROCESSING_DELAY", "0", "greater than 0"),
        ("SUBMISSION_PROCESSING_DELAY", "721", "must be 720 or less"),
        ("REQUESTS_TIMEOUT", "-1", "greater than 0"),
        ("CALLBACK_CONCURRENCY", "0", "greater than 0"),
        ("LOG_LEVEL", "loud", "INFO"),
        ("MAX_FILE_SIZE", "1.5", "must be a whole number"),
        ("CALLBACK_ALLOWED_ORIGINS", "https://lms.example", 'must be a list, such as ["https://lms.example"]'),
        ("CALLBACK_ALLOWED_ORIGINS", "[]", "must have an entry"),
        ("RETRY_DELAYS", "5", "must be a list, such as [1, 5, 30]"),
        ("XQUEUES", "[]", 'must be a map, such as {"openedx": null}'),
        ("XQUEUES", "openedx", 'must be JSON, such as {"openedx": null}'),
    ],
)
def test_a_wrong_value_is_named_with_key_and_expectation(
    key: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = refusal(monkeypatch, **{key: value})
    assert key in text
    assert repr(value) in text
    assert expected in text
    assert "\n" not in text
    assert "Value error" not in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("RETRY_DELAYS", "[5, 0]", "XQUEUE_RETRY_DELAYS[1]: must be 0.01 or more, not 0"),
        ("RETRY_DELAYS", "[604801]", "XQUEUE_RETRY_DELAYS[0]: must be 604800 or less, not 604801"),
        (
            "CALLBACK_ALLOWED_ORIGINS",
            '["https://lms.example", "lms.example"]',
            (
                "XQUEUE_CALLBACK_ALLOWED_ORIGINS[1]: must be an origin (scheme, host, port) such as "
                "https://lms.example or http://lms:8000, not 'lms.example'"
            ),
        ),
        (
            "CALLBACK_ALLOWED_ORIGINS",
            '["http://169.254.169.254"]',
            (
                "XQUEUE_CALLBACK_ALLOWED_ORIGINS[0]: names a link-local address, which no callback goes to, "
                "not 'http://169.254.169.254'"
            ),
        ),
        ("XQUEUES", '{"a": null, "openedx": "grader"}', "XQUEUE_XQUEUES[openedx]: must be a valid URL, not 'grader'"),
        ("XQUEUES", '{"parked": null}', "XQUEUE_XQUEUES[parked]: the queue name 'parked' is taken by XQueue itself"),
        ("XQUEUES", '{"": null}', "XQUEUE_XQUEUES[]: the queue name '' is empty or has unprintable characters"),
        (
            "XQUEUES",
            '{"a\\u0000b": null}',
            "XQUEUE_XQUEUES['a\\x00b']: the queue name 'a\\x00b' is empty or has unprintable characters",
        ),
        ("QUEUE_OPTIONS", '{"a": {"speed": 1}}', "XQUEUE_QUEUE_OPTIONS[a][speed]: is no option"),
        ("QUEUE_OPTIONS", '{"a": 3}', "XQUEUE_QUEUE_OPTIONS[a]: must be a map, not 3"),
    ],
)
def test_of_a_map_or_list_only_the_wrong_part_is_shown(
    key: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(monkeypatch, **{key: value}) == said


def test_a_map_of_accounts_that_is_none_is_shown_how_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'XQUEUE_USERS: must be a map, such as {"lms": "password"} (the value is a secret and not shown)'
    assert refusal(monkeypatch, USERS="[]") == said


def test_a_queue_name_too_long_for_rabbitmq_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # 101 characters, 202 bytes
    assert "longer than 200 bytes" in refusal(monkeypatch, XQUEUES=f'{{"{101 * "ä"}": null}}')


def test_a_value_of_the_file_is_shown_as_it_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "xqueue.yml"
    file.write_text("PORT: [1]")
    text = refusal(monkeypatch, CFG=str(file))
    assert text.startswith("PORT: ")
    assert text.endswith("not [1]")


def test_every_wrong_key_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = refusal(monkeypatch, PORT="x", LOG_LEVEL="loud", MAX_FILES="-1")
    assert {line.split(":")[0] for line in text.split("\n")} == {"XQUEUE_PORT", "XQUEUE_LOG_LEVEL", "XQUEUE_MAX_FILES"}


def test_no_rung_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "RETRY_DELAYS must name at least one" in refusal(monkeypatch, RETRY_DELAYS="[]")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("AMQP_URL", f"http://user:{PASSWORD}@broker.example"),
        ("AMQP_URL", PASSWORD),
        ("MANAGEMENT_URL", f"ftp://user:{PASSWORD}@broker.example"),
        ("SECRET_KEY", PASSWORD),
        ("SECRET_KEY_FALLBACKS", f'["{PASSWORD}"]'),
        ("SECRET_KEY_FALLBACKS", PASSWORD),
        ("USERS", f'{{"lms": ["{PASSWORD}"]}}'),
        ("USERS", f'{{"lms": {PASSWORD}}}'),
        ("REQUESTS_BASIC_AUTH", PASSWORD),
        ("REQUESTS_BASIC_AUTH", f'["user", "{PASSWORD}", "more"]'),
        ("CALLBACK_CREDENTIALS", f'{{"https://lms.example": "{PASSWORD}"}}'),
        ("CALLBACK_CREDENTIALS", f'{{"https://user:{PASSWORD}@lms.example": ["user", "password"]}}'),
        ("CALLBACK_SIGNING_KEY", PASSWORD),
        ("CALLBACK_SIGNING_KEY", f'["whsec_{PASSWORD}"]'),
    ],
)
def test_a_wrong_secret_is_named_and_not_shown(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = refusal(monkeypatch, **{key: value})
    assert key in text
    assert PASSWORD not in text


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    settings = Settings(
        amqp_url=f"amqp://user:{PASSWORD}@broker.example/",
        secret_key=f"{PASSWORD} and a few words more",
        users={"lms": PASSWORD},
        requests_basic_auth=("user", PASSWORD),
        callback_credentials={"https://lms.example": ("user", PASSWORD)},
        callback_signing_key="whsec_" + 8 * "unte",
    )
    shown = f"{settings} {settings!r} {settings.model_dump()}"
    assert PASSWORD not in shown
    assert "whsec" not in shown


@pytest.mark.parametrize("text", ["[1, 2]", "5", "{1: 2}"])
def test_a_file_that_maps_nothing_is_refused_by_its_path(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "xqueue.yml"
    file.write_text(text)
    refused = refusal(monkeypatch, CFG=str(file))
    assert str(file) in refused
    assert "map names of settings to values" in refused


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\xff", b"a: \x00"])
def test_a_file_that_is_not_yaml_is_refused_by_its_path(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "xqueue.yml"
    file.write_bytes(content)
    refused = refusal(monkeypatch, CFG=str(file))
    assert str(file) in refused
    assert "not YAML" in refused


def test_a_yaml_mistake_next_to_a_secret_does_not_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "xqueue.yml"
    file.write_text(f"USERS: {{lms: {PASSWORD}: x]")
    assert PASSWORD not in refusal(monkeypatch, CFG=str(file))


def test_a_file_that_is_not_there_is_refused_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = refusal(monkeypatch, CFG=str(tmp_path / "nowhere.yml"))
    assert "nowhere.yml" in refused
    assert "No such file" in refused
