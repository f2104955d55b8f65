"""What is said at start of settings that can be used and may still not be what was meant."""

from typing import Any

import pytest

from broker_setup.settings import Settings
from gateway.start_warnings import start_warnings


def said(**settings: Any) -> list[str]:
    return list(start_warnings(Settings.model_validate(settings)))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_alone_no_public_url_is_wanted(host: str) -> None:
    assert said(host=host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "gateway.example"])
def test_where_others_can_reach_the_gateway_it_should_know_its_name(host: str) -> None:
    [line] = said(host=host)
    assert line.startswith(f"PUBLIC_URL is not set, and HOST is {host}: ")
    assert said(host=host, public_url="https://xqueue.example") == []


def test_lists_that_name_no_account_are_named() -> None:
    access = {"openedx": {"producers": ["lms", "lsm"]}}
    [line] = said(users={"lms": "word"}, xqueues={"openedx": None}, queue_access=access)
    assert line.startswith("QUEUE_ACCESS[openedx] names 'lsm', of no account in USERS")


TWO = {"lms": "word", "grader": "word"}
QUEUES = {"a": None, "b": None}


def test_several_producers_and_no_list_of_origins_are_worth_a_warning() -> None:
    [line] = said(users=TWO, xqueues=QUEUES)
    assert line.startswith("CALLBACK_ALLOWED_ORIGINS is not set, and 2 accounts may hand work in")


@pytest.mark.parametrize(
    "more",
    [
        {"callback_allowed_origins": ["https://lms.example"]},
        {"users": {"lms": "word"}},
        {"queue_access": {"a": {"producers": ["lms"]}, "b": {"producers": ["lms"]}}},
    ],
)
def test_a_list_of_origins_or_one_producer_is_not(more: dict[str, Any]) -> None:
    assert said(**{"users": TWO, "xqueues": QUEUES, **more}) == []
