"""Through which queue the self-check goes, and as whom, where lists shut accounts out."""

from typing import Any

from broker_setup.settings import Settings
from deploy.local.check_plan import Login, Plan, plan

ADMIN, LMS, GRADER = (Login(name, f"password of {name}") for name in ("admin", "lms", "grader"))
USERS = {login.account: login.password for login in (ADMIN, LMS, GRADER)}


def planned(**settings: Any) -> Plan | str:
    values = {"users": USERS, "xqueues": {"other": None, "openedx": None}} | settings
    return plan(Settings.model_validate(values))


def test_without_lists_it_is_the_first_account_at_openedx() -> None:
    assert planned() == Plan("openedx", ADMIN, ADMIN)
    assert planned(xqueues={"a": "http://grader.example/", "b": None}) == Plan("b", ADMIN, ADMIN)


def test_an_account_that_is_shut_out_is_not_taken() -> None:
    assert planned(queue_access={"openedx": {"producers": ["lms"], "consumers": ["grader"]}}) == Plan(
        "openedx", LMS, GRADER
    )
    assert planned(queue_access={"openedx": {"producers": ["admin", "lms"], "consumers": ["lms"]}}) == Plan(
        "openedx", LMS, LMS
    )


def test_a_queue_that_nobody_of_ours_reaches_is_passed_over() -> None:
    assert planned(queue_access={"openedx": {"consumers": ["a token's name"]}}) == Plan("other", ADMIN, ADMIN)


def test_where_there_is_nothing_to_choose_it_says_why() -> None:
    closed = {queue: {"consumers": ["somebody"]} for queue in ("openedx", "other")}
    assert "QUEUE_ACCESS" in str(planned(queue_access=closed))
    assert "plain password" in str(planned(users={"lms": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA"}))
    assert "graders poll" in str(planned(xqueues={"a": "http://grader.example/"}))
    assert "CALLBACK_ALLOWED_ORIGINS" in str(planned(callback_allowed_origins=["https://lms.example"]))
