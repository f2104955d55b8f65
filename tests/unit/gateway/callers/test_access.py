"""Who may make which call for which queue, decided without any I/O."""

import pytest

from broker_setup.settings.access_settings import QueueAccess
from gateway.callers.access import CALLS, Access, Caller, Role, names_without_account

LISTS = {
    "openedx": QueueAccess(producers=("lms",), consumers=("grader", "both")),
    "drafts": QueueAccess(consumers=("grader",)),
    "closed": QueueAccess(producers=(), consumers=()),
}
TAKE = [call for call, roles in CALLS.items() if roles == {Role.CONSUMER}]


def test_submit_is_for_producers_get_queuelen_for_both_and_the_rest_for_consumers() -> None:
    assert CALLS["submit"] == {Role.PRODUCER}
    assert CALLS["get_queuelen"] == {Role.PRODUCER, Role.CONSUMER}
    assert len(TAKE) == len(CALLS) - 2


@pytest.mark.parametrize("call", CALLS)
def test_a_queue_without_lists_is_open_to_everybody(call: str) -> None:
    assert Access({}).may(Caller("anybody"), call, "openedx")
    assert Access(LISTS).may(Caller("anybody"), call, "elsewhere")


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_list_is_nobody(call: str) -> None:
    assert not Access(LISTS).may(Caller("lms"), call, "closed")


def test_a_list_that_is_left_out_is_everybody_and_the_other_one_counts() -> None:
    access = Access(LISTS)
    assert access.may(Caller("anybody"), "submit", "drafts")
    assert not access.may(Caller("anybody"), "get_submission", "drafts")
    assert access.may(Caller("grader"), "get_submission", "drafts")


@pytest.mark.parametrize("name", ["LMS", "lms ", "", "grader", "lm", "lmss"])
def test_only_the_very_name_is_listed(name: str) -> None:
    assert Access(LISTS).may(Caller("lms"), "submit", "openedx")
    assert not Access(LISTS).may(Caller(name), "submit", "openedx")


@pytest.mark.parametrize("call", TAKE)
def test_a_role_counts_only_on_the_list_for_it(call: str) -> None:
    access = Access(LISTS)
    assert not access.may(Caller("lms"), call, "openedx")
    assert not access.may(Caller("grader", frozenset({Role.PRODUCER})), call, "openedx")
    assert access.may(Caller("grader", frozenset({Role.CONSUMER})), call, "openedx")


@pytest.mark.parametrize("call", CALLS)
def test_without_any_role_there_is_nothing_to_do(call: str) -> None:
    assert not Access({}).may(Caller("lms", frozenset()), call, "openedx")


def test_names_of_no_account_are_found_by_queue_each_once() -> None:
    lists = {"openedx": QueueAccess(producers=("lms", "lsm"), consumers=("lsm", "grader", "amqp"))}
    assert names_without_account(lists, {"lms", "grader"}) == {"openedx": ["lsm", "amqp"]}
    assert names_without_account(LISTS, {"lms", "grader", "both"}) == {}


def test_only_who_stands_in_a_queues_list_is_its_producer_and_nobody_where_there_is_none() -> None:
    access = Access({"exam": QueueAccess(producers=("lms",)), "drafts": QueueAccess(consumers=("lms", "grader"))})
    assert access.is_producer("lms", "exam")
    for name, queue in (("grader", "exam"), ("lms", "drafts"), ("lms", "open to all"), ("", "exam")):
        assert not access.is_producer(name, queue), (name, queue)
