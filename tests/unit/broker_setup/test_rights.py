"""Rights are to names: the expressions that RabbitMQ gets match these and no others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.operator.management_api import as_asked
from broker_setup.rights import Below, BrokerUser, Role, broker_users, regex, service_names
from broker_setup.settings import Settings
from broker_setup.topology import former_rung, submissions_queue

TOPOLOGY = Settings(xqueues={"openedx": None, "a.b": None}).topology
QUEUES = {queue.name for queue in TOPOLOGY.queues}
EXCHANGES = {exchange.name for exchange in TOPOLOGY.exchanges}
USERS = broker_users(service_names({}), {"g": ["a.b"]})

printable = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)


def matches(expression: str, name: str) -> bool:
    # As RabbitMQ does it: a search, over bytes.
    return re.search(expression.encode(), name.encode()) is not None


def user(name: str) -> BrokerUser:
    return next(user for user in USERS if user.name == name)


def reads(name: str) -> set[str]:
    return {queue for queue in QUEUES if matches(as_asked(user(name).rights)["read"], queue)}


def writes(name: str) -> set[str]:
    return {exchange for exchange in EXCHANGES if matches(as_asked(user(name).rights)["write"], exchange)}


@pytest.mark.parametrize("each", USERS, ids=lambda each: each.name)
def test_nobody_configures_anything_or_writes_to_the_default_exchange(each: BrokerUser) -> None:
    asked = as_asked(each.rights)
    assert not any(matches(asked["configure"], name) for name in QUEUES | EXCHANGES)
    for kind in asked.values():
        assert not matches(kind, "amq.default")
        assert not matches(kind, "amq.gen-something")


def test_a_grader_reads_its_queue_and_writes_results() -> None:
    assert reads("g") == {"xqueue.submissions.a.b"}
    assert writes("g") == {"xqueue.results"}


def test_the_services_read_and_write_what_they_need() -> None:
    course_queues = {"xqueue.submissions.openedx", "xqueue.submissions.a.b"}
    assert reads("xqueue-gateway") == {*course_queues, "xqueue.submissions.failed", "xqueue.ledger"}
    assert reads("xqueue-relay") == {"xqueue.results", "xqueue.results.checked"}
    assert reads("xqueue-passive") == course_queues
    assert reads("xqueue-broker") == {
        *course_queues,
        "xqueue.ledger",
        "xqueue.submissions.parked",
        "xqueue.results.parked",
        "xqueue.notices.24h",
        "xqueue.paused.openedx",
        "xqueue.paused.a.b",
        *(queue for queue in QUEUES if queue.startswith("xqueue.results.rung.")),
    }
    assert reads("xqueue-operator") == writes("xqueue-operator") == set()
    all_write = {"xqueue.results", "xqueue.checked", "xqueue.frames"}
    assert writes("xqueue-gateway") == {*all_write, "xqueue.submissions", "xqueue.parked"}
    assert writes("xqueue-relay") == {*all_write, "xqueue.retry", "xqueue.parked"}
    assert writes("xqueue-passive") == {*all_write, "xqueue.parked", "xqueue.answers"}
    assert writes("xqueue-broker") == {*all_write, "xqueue.submissions", "xqueue.paused"}


@pytest.mark.parametrize("each", USERS, ids=lambda each: each.name)
def test_only_the_relay_could_bind_and_only_to_the_exchange_of_its_results(each: BrokerUser) -> None:
    # A binding takes write on the queue and read on the exchange, and names of both stand in one expression.
    asked = as_asked(each.rights)
    readable = {exchange for exchange in EXCHANGES if matches(asked["read"], exchange)}
    assert readable == ({"xqueue.results"} if each.name == "xqueue-relay" else set())


@pytest.mark.parametrize(
    ("name", "looked_at"),
    [
        (
            "xqueue-gateway",
            {"xqueue.submissions.openedx", "xqueue.submissions.a.b", "xqueue.notices.24h", "xqueue.results.checked"},
        ),
        ("xqueue-relay", {each for each in QUEUES if each.startswith(("xqueue.results", "xqueue.notices"))}),
        ("xqueue-broker", QUEUES - {"xqueue.submissions.failed"}),
    ],
)
def test_what_a_process_looks_at_it_has_some_right_to(name: str, looked_at: set[str]) -> None:
    # RabbitMQ 3.10 asks for none, so the tests with a broker can't tell.
    asked = as_asked(user(name).rights).values()
    assert {queue for queue in QUEUES if any(matches(kind, queue) for kind in asked)} >= looked_at


@given(printable, printable)
def test_a_graders_queue_opens_that_one_queue_whatever_characters_are_in_its_name(queue: str, other: str) -> None:
    expression = regex([submissions_queue(queue)])
    assert matches(expression, submissions_queue(queue))
    for name in {other, queue + other, other + queue, queue[:-1], queue.upper(), queue.replace(".", "X")} - {queue}:
        assert not matches(expression, submissions_queue(name))


@pytest.mark.parametrize("other", ["aXb", "a.b.c", "x.a.b", "a", "", "a.b|openedx"])
def test_a_dot_in_a_name_is_a_dot(other: str) -> None:
    assert not matches(regex(["xqueue.submissions.a.b"]), f"xqueue.submissions.{other}")


def test_what_is_below_a_name_is_neither_the_name_nor_what_is_taken() -> None:
    expression = regex([Below("x.y", taken=frozenset({"parked"}))])
    for name, good in {"x.y.z": True, "x.y.parked": False, "x.y.parked2": True, "x.y": False, "x.y.": False}.items():
        assert matches(expression, name) == good, name
    assert not matches(expression, "a.x.y.z")
    assert not matches(expression, "xay.z")


def test_no_names_match_nothing() -> None:
    assert not matches(regex([]), "xqueue.results")


@pytest.mark.parametrize("name", ["xqueue-relay", "xqueue-broker"])
def test_what_is_left_on_the_rungs_of_0_1_0_can_be_looked_at(name: str) -> None:
    asked = as_asked(user(name).rights)
    assert matches(asked["write"], former_rung(60))
    assert matches(asked["read"], former_rung(60)) == (name == "xqueue-broker")


def test_a_user_can_have_another_name() -> None:
    names = service_names({Role.RELAY: "relay-2"})
    assert names == {"gateway": "xqueue-gateway", "relay": "relay-2", "passive": "xqueue-passive"} | {
        "broker": "xqueue-broker",
        "operator": "xqueue-operator",
    }
    assert [each.name for each in broker_users(names, {})] == list(names.values())
