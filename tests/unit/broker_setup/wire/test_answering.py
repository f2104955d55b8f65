"""Who may answer which queue."""

import pytest

from broker_setup.settings import Settings
from broker_setup.wire.answering import is_ours, may_answer

GRADERS = {"matlab-grader": ("matlab", "octave"), "python-grader": ("python",)}
SERVICES = {"xqueue-gateway", "xqueue-relay", "xqueue-passive", "xqueue-broker"}


@pytest.mark.parametrize(
    ("user", "queue"),
    [
        ("matlab-grader", "matlab"),
        ("matlab-grader", "octave"),
        ("python-grader", "python"),
        ("xqueue-gateway", "matlab"),
        ("xqueue-relay", "python"),  # what it put on a rung comes back under its own name
        ("xqueue-broker", "anything"),
    ],
)
def test_a_service_and_the_queues_own_grader_may(user: str, queue: str) -> None:
    assert may_answer(user, queue, graders=GRADERS, services=SERVICES) is None


@pytest.mark.parametrize(
    ("user", "queue", "why"),
    [
        ("matlab-grader", "python", "AMQP grader 'matlab-grader' may not answer the queue 'python'"),
        ("matlab-grader", "", "may not answer the queue ''"),
        ("matlab-grader", "mat", "may not answer the queue 'mat'"),
        ("Matlab-Grader", "matlab", "neither in AMQP_GRADERS nor a service"),
        ("xqueue-operator", "matlab", "neither in AMQP_GRADERS nor a service"),
        ("", "matlab", "neither in AMQP_GRADERS nor a service"),
        (None, "matlab", "it names no user"),
    ],
)
def test_nobody_else_may(user: str | None, queue: str, why: str) -> None:
    reason = may_answer(user, queue, graders=GRADERS, services=SERVICES)
    assert reason
    assert why in reason


@pytest.mark.parametrize("user", [None, "somebody"])
def test_where_there_are_no_amqp_graders_nobody_is_asked(user: str | None) -> None:
    assert may_answer(user, "matlab", graders={}, services=SERVICES) is None


def test_only_what_a_service_sent_is_ours() -> None:
    assert all(is_ours(user, graders=GRADERS, services=SERVICES) for user in SERVICES)
    strangers = ["matlab-grader", "xqueue-operator", "", None]
    assert not any(is_ours(user, graders=GRADERS, services=SERVICES) for user in strangers)


def test_where_there_are_no_amqp_graders_services_may_have_any_names() -> None:
    assert is_ours("somebody", graders={}, services=SERVICES)
    assert is_ours(None, graders={}, services=SERVICES)


def test_the_services_are_those_of_the_settings_and_we_ourselves() -> None:
    settings = Settings(amqp_url="amqp://us%40home:p@h/", service_users={"relay": "r"})
    assert settings.services == {"xqueue-gateway", "r", "xqueue-passive", "xqueue-broker", "us@home"}


def test_who_logs_in_as_a_grader_is_no_service() -> None:
    settings = Settings(amqp_url="amqp://g:p@h/", xqueues={"a": None}, amqp_graders={"g": ("a",)})
    assert "g" not in settings.services
