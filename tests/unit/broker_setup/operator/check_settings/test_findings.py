"""`check-settings` says all that keeps a service from starting, of each service, and shows no secret."""

import json
from pathlib import Path

import pytest

from broker_setup.operator.check_settings.findings import findings
from broker_setup.settings.loading import examine_settings, load_settings
from broker_setup.settings.required import REQUIRED, Service
from tests.support.tokens import public_jwk

SECRET_KEY = "Zk3vW9qRt7LmXc2PbNhY8dGs"
GOOD = {"SECRET_KEY": SECRET_KEY, "USERS": '{"lms": "password"}', "XQUEUES": '{"openedx": null}'}
UPSTREAM = {
    "UPSTREAMS": '{"lms": {"url": "https://lms.example/xqueue", "user": "watcher", "queues": {"there": "a"}}}',
    "UPSTREAM_PASSWORDS": '{"lms": "password"}',
}
PERSON = {"CONSOLE_ACCOUNTS": '{"ada": "password"}'}
PASSWORD = "hunter2"


def found(monkeypatch: pytest.MonkeyPatch, *services: Service, **environment: object) -> dict[str, list[str]]:
    """What is wrong, with whom it keeps from starting."""
    for key, value in environment.items():
        monkeypatch.setenv(f"XQUEUE_{key}", str(value))
    said = {mistake.what: [*map(str, mistake.services)] for mistake in findings(services, examine_settings).mistakes}
    assert PASSWORD not in str(said)
    return said


def test_with_good_settings_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, **GOOD) == {}


def test_what_is_not_set_is_said_of_those_that_can_not_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found(monkeypatch, SECRET_KEY="")
    assert {what.split()[0]: who for what, who in said.items() if "is not set" in what} == {
        "USERS": ["gateway"],
        "XQUEUES": ["gateway"],
    }
    assert [who for what, who in said.items() if what.startswith("XQUEUE_SECRET_KEY: ")] == [["gateway", "relay"]]


def test_all_kinds_of_mistakes_are_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").write_text("nothing")
    said = found(
        monkeypatch,
        **GOOD | {"USERS": ""},
        PORT="eighty",  # wrong by itself
        RETRY_DELAYS="[]",  # wrong with the others
        AMQP_GRADERS='{"a": ["opendx"], "b": []}',  # of which there are two
        JWT_PUBLIC_JWKS='{"keys": []}',  # wrong when it is used
        JWT_ISSUERS='["https://lms.example"]',
        UPLOAD_STORE="s3://bucket",
        UPLOAD_STORE_OPTIONS=f'{{"nonsense": "{PASSWORD}"}}',
        UPLOAD_CA_BUNDLE=tmp_path / "bundle.pem",
        CALLBACK_CA_BUNDLE=tmp_path / "nowhere.pem",
    )
    assert {what.replace(":", " ").split()[0]: len(who) for what, who in said.items()} == {
        "XQUEUE_USERS": 2,
        "XQUEUE_PORT": 2,
        "RETRY_DELAYS": 2,
        "AMQP_GRADERS": 2,
        "JWT_PUBLIC_JWKS": 1,
        "UPLOAD_STORE,": 1,
        "UPLOAD_CA_BUNDLE": 1,
        "CALLBACK_CA_BUNDLE": 1,
    }
    assert len([what for what in said if what.startswith("AMQP_GRADERS: ")]) == 2


def test_of_what_is_wrong_by_itself_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found(monkeypatch, Service.GATEWAY, Service.PASSIVE, **GOOD | {"XQUEUES": "[]"}, AMQP_GRADERS='{"a": ["b"]}')
    assert [what.partition(":")[0] for what in said] == ["XQUEUE_XQUEUES"]


def test_a_file_that_can_not_be_read_hides_no_mistake_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found(monkeypatch, CFG="/nowhere.yml", PORT="eighty", SECRET_KEY=PASSWORD)
    assert [what.partition(":")[0] for what in said] == ["XQUEUE_CFG", "XQUEUE_SECRET_KEY", "XQUEUE_PORT"]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), ("{", "is not JSON"), ("[]", "must be a JWK set"), ('{"keys": []}', "has no RSA key")],
)
def test_a_file_of_token_keys_is_read_as_a_gateway_reads_it(
    content: str | None, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_text(content)
    settings = GOOD | {"JWT_ISSUERS": '["https://lms.example"]', "JWT_PUBLIC_JWKS_FILE": str(file)}
    [(what, who)] = found(monkeypatch, **settings).items()
    assert what.startswith(f"JWT_PUBLIC_JWKS_FILE: {file}: ")
    assert why in what
    assert who == ["gateway"]
    file.write_text(json.dumps({"keys": [public_jwk()]}))
    assert found(monkeypatch, **settings) == {}


def test_the_bridge_is_looked_at_where_it_has_somebody_to_call_or_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    [(what, who)] = found(monkeypatch, Service.PASSIVE, **GOOD).items()
    assert what.startswith("XQUEUES has no queue with the URL of a grader")
    assert who == ["passive"]
    calling = GOOD | {"XQUEUES": '{"a": "https://grader.example/"}', "GRADING_CA_BUNDLE": "/nowhere.pem"}
    [(what, who)] = found(monkeypatch, **calling).items()
    assert what.startswith("GRADING_CA_BUNDLE: ")
    assert who == ["passive"]


@pytest.mark.parametrize("service", Service)
def test_who_has_no_mistakes_has_settings(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        found(monkeypatch, service, **GOOD | PERSON | UPSTREAM | {"XQUEUES": '{"a": "https://grader.example/"}'}) == {}
    )
    assert load_settings(REQUIRED[service])[0].xqueues == {"a": "https://grader.example/"}


def test_who_logs_in_at_an_upstream_wants_its_password_and_no_other_service_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = GOOD | UPSTREAM | {"XQUEUES": '{"a": null}', "UPSTREAM_PASSWORDS": "{}"}
    assert found(monkeypatch, **given) == {
        "UPSTREAM_PASSWORDS has none for 'lms', which UPSTREAMS names": ["relay", "upstream"]
    }


def test_the_console_is_looked_at_where_it_has_accounts_or_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    [(what, who)] = found(monkeypatch, Service.CONSOLE, **GOOD).items()
    assert "CONSOLE_ACCOUNTS" in what
    assert who == ["console"]
    roles = '{"adda": {}, "ada": {"queues": ["opendx"]}}'
    said = found(monkeypatch, Service.CONSOLE, **GOOD | PERSON, CONSOLE_ROLES=roles)
    assert [what.partition(":")[0].partition(" ")[0] for what in said] == ["CONSOLE_ROLES", "CONSOLE_ROLES"]
