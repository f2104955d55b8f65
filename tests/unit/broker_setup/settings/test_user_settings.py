"""Settings about broker users that can't be meant stop the start with a sentence."""

import json

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import load_settings

QUEUES = '{"openedx": null, "matlab": null}'


def refused(monkeypatch: pytest.MonkeyPatch, **settings: object) -> str:
    monkeypatch.setenv("XQUEUE_XQUEUES", QUEUES)
    for key, value in settings.items():
        monkeypatch.setenv(f"XQUEUE_{key}", json.dumps(value))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("graders", "said"),
    [
        ({"g": ["opendx"]}, "'g' has the queue 'opendx', which is not in XQUEUES (did you mean 'openedx'?)"),
        ({"g": []}, "'g' has no queue"),
        ({"g": ["parked"]}, "'parked' is taken"),
        ({"g": "matlab"}, "XQUEUE_AMQP_GRADERS[g]: must be a list"),
        ({"xqueue-relay": ["matlab"]}, "'xqueue-relay' is for two"),
        ({"": ["matlab"]}, "the user name '' is empty"),
        ({"..": ["matlab"]}, "the user name '..'"),
        ({" g": ["matlab"]}, "blanks around it"),
        ({"a\nb": ["matlab"]}, "unprintable"),
        ({256 * "g": ["matlab"]}, "longer than 255 bytes"),
        (["g"], 'must be a map, such as {"matlab-grader": ["matlab"]}'),
    ],
)
def test_graders_that_make_no_sense_are_named(monkeypatch: pytest.MonkeyPatch, graders: object, said: str) -> None:
    assert said in refused(monkeypatch, AMQP_GRADERS=graders)


def test_a_role_that_does_not_exist_is_named_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(monkeypatch, SERVICE_USERS={"gatway": "x"})
    assert "SERVICE_USERS[gatway]: must be one of gateway, relay, passive, broker, operator" in said


def test_two_services_can_not_share_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'x' is for two" in refused(monkeypatch, SERVICE_USERS={"gateway": "x", "relay": "x"})


def test_a_password_of_nobody_is_named_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(monkeypatch, BROKER_PASSWORDS={"xqueue-gatway": "hunter2"})
    assert "'xqueue-gatway' is neither in AMQP_GRADERS nor a service's user (did you mean 'xqueue-gateway'?)" in said


@pytest.mark.parametrize("password", ["", 5, None, ["hunter2"]])
def test_a_password_has_to_be_text(monkeypatch: pytest.MonkeyPatch, password: object) -> None:
    said = refused(monkeypatch, BROKER_PASSWORDS={"xqueue-relay": password})
    assert "BROKER_PASSWORDS[xqueue-relay]: must " in said
    assert "is a secret" in said


def test_good_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_XQUEUES", QUEUES)
    monkeypatch.setenv("XQUEUE_AMQP_GRADERS", '{"g": ["matlab", "openedx"]}')
    monkeypatch.setenv("XQUEUE_SERVICE_USERS", '{"relay": "the relay"}')
    monkeypatch.setenv("XQUEUE_BROKER_PASSWORDS", '{"g": "hunter2", "the relay": "hunter2"}')
    settings, _ = load_settings()
    assert settings.amqp_graders == {"g": ("matlab", "openedx")}
    names = ["xqueue-gateway", "the relay", "xqueue-passive", "xqueue-broker", "xqueue-operator"]
    assert list(settings.broker_users.values()) == names
    assert "hunter2" not in repr(settings)
