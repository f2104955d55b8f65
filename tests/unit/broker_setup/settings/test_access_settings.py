"""The settings about who may come in: what is taken, and which slips stop the start."""

import json

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import load_settings
from broker_setup.settings.access_settings import QueueAccess

SECRET = "3f9c1b7e5a2d8046c4e1f7093b6d5a82"


def set_all(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(f"XQUEUE_{key}", value)


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    set_all(monkeypatch, **environment)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_lists_are_read_and_one_that_is_left_out_is_not_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, QUEUE_ACCESS='{"a": {"producers": ["lms"]}, "b": {"producers": [], "consumers": null}}')
    assert load_settings()[0].queue_access == {
        "a": QueueAccess(producers=("lms",), consumers=None),
        "b": QueueAccess(producers=(), consumers=None),
    }


def test_a_list_for_a_queue_that_is_not_there_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, XQUEUES='{"openedx": null, "b": null}', QUEUE_ACCESS='{"opendx": {}, "b": {}}')
    assert said == "QUEUE_ACCESS names queues that XQUEUES doesn't have: 'opendx'; it has 'openedx', 'b'"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"a": {"producer": ["lms"]}}', "XQUEUE_QUEUE_ACCESS[a][producer]: is no option"),
        ('{"a": {"producers": "lms"}}', "XQUEUE_QUEUE_ACCESS[a][producers]: must be a list, not 'lms'"),
        ('{"a": {"producers": [""]}}', "XQUEUE_QUEUE_ACCESS[a][producers][0]: must not be empty, not ''"),
        ('{"a": ["lms"]}', "XQUEUE_QUEUE_ACCESS[a]: must be a map, not ['lms']"),
        (
            "[]",
            'XQUEUE_QUEUE_ACCESS: must be a map, such as {"openedx": {"producers": ["lms"], "consumers": ["grader"]}}',
        ),
    ],
)
def test_a_list_of_another_form_stops_the_start(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, QUEUE_ACCESS=value).startswith(said)


@pytest.mark.parametrize("password", ["", "$argon2id$v=19$broken", "$argon2id"])
def test_a_password_that_lets_anybody_or_nobody_in_stops_the_start(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refusal(monkeypatch, USERS=json.dumps({"lms": password}))
    assert said.startswith("XQUEUE_USERS[lms]: ")
    assert not password or password not in said


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, TRUSTED_PROXIES='["10.1.2.3", "10.0.0.0/8", "::1"]')
    assert list(map(str, load_settings()[0].trusted_proxies)) == ["10.1.2.3/32", "10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize("proxy", ["nginx", "10.0.0.1/8", "", "10.0.0"])
def test_a_proxy_that_is_no_address_stops_the_start(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, TRUSTED_PROXIES=json.dumps([proxy]))
    assert said.startswith("XQUEUE_TRUSTED_PROXIES[0]: must be an IP address or a network such as 10.0.0.0/8")


@pytest.mark.parametrize(
    "keys", [{"JWT_SECRET_KEY": SECRET}, {"JWT_PUBLIC_JWKS": '{"keys": []}'}, {"JWT_PUBLIC_JWKS_FILE": "jwks.json"}]
)
def test_keys_of_tokens_need_an_issuer(keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "JWT_ISSUERS must name who issues" in refusal(monkeypatch, **keys)


def test_the_secret_of_tokens_is_not_that_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, SECRET_KEY=SECRET, JWT_SECRET_KEY=SECRET, JWT_ISSUERS='["someone"]')
    assert said.startswith("JWT_SECRET_KEY must not be SECRET_KEY")
    assert SECRET not in said
