"""The settings of upstreams: what is right, and what is refused with a reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings
from broker_setup.upstream.upstreams import Upstreams

UPSTREAM: dict[str, Any] = {"url": "https://lms.example/xqueue/", "user": "watcher", "queues": {"there": "openedx"}}


def settings(name: str = "lms", password: str | None = "its password", **others: object) -> Settings:
    passwords = {} if password is None else {name: password}
    return Settings(
        xqueues={"openedx": None, "6001": None},
        upstreams={name: UPSTREAM | others},
        upstream_passwords=passwords,
        public_url="https://xqueue.example",
    )


def test_a_queue_there_is_one_here_or_says_what_a_whole_score_is() -> None:
    queues = settings(queues={"a": "openedx", 7: 6001, "c": {"queue": "openedx", "points": 10}}).upstreams["lms"].queues
    assert {name: (each.queue, each.points) for name, each in queues.items()} == {
        "a": ("openedx", 1.0),
        "7": ("6001", 1.0),
        "c": ("openedx", 10.0),
    }


@pytest.mark.parametrize(
    "others",
    [
        {"url": "lms.example"},
        {"url": "ftp://lms.example/xqueue"},
        {"url": "https://user:password@lms.example/xqueue"},
        {"url": "https://lms.example/xqueue?a=b"},
        {"user": ""},
        {"queues": {}},
        {"queues": {"": "openedx"}},
        {"queues": {"a": {"queue": "openedx", "points": 0}}},
        {"queues": {"a": {"queue": "openedx", "more": 1}}},
        {"queues": {"a": "not in XQUEUES"}},
        {"name": "a name with blanks"},
    ],
)
def test_what_can_not_be_right_is_refused(others: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**others)


def test_who_logs_in_wants_a_password() -> None:
    with pytest.raises(SettingsError, match="UPSTREAM_PASSWORDS has none for 'lms'"):
        Upstreams(settings(password=None))


@pytest.mark.parametrize(
    "url", ["https://xqueue.example/xqueue", "http://127.0.0.1:18040/xqueue", "http://169.254.169.254"]
)
def test_nothing_is_taken_from_ourselves_nor_from_where_no_callback_goes(url: str) -> None:
    with pytest.raises(SettingsError, match="'lms' can't be asked"):
        Upstreams(settings(url=url))
