"""How one queue of an upstream is asked: in which order, how often, and what becomes of what it hands out."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from yarl import URL

from broker_setup.errors import BrokerUnavailableError
from broker_setup.upstream.dialect import Said, Taken, UpstreamError
from gateway.upstream.metrics import Metrics
from gateway.upstream.taken_before import TakenBefore
from gateway.upstream.taking import LAST_PAUSE_SECONDS, REPEAT_PAUSE_SECONDS, From, Taking


class Upstream:
    """Hands out what it has, one after the other; an error is raised in place of an answer."""

    url = URL("https://lms.example/xqueue")

    def __init__(self, *has: int | Exception) -> None:
        self.has = list(has)
        self.asked = 0

    async def get(self, _: str, __: Mapping[str, str]) -> Said:
        self.asked += 1
        one = self.has.pop(0) if self.has else None
        if isinstance(one, Exception):
            raise one
        if one is None:
            return Said(200, {}, json.dumps({"return_code": 1, "content": "empty"}).encode())
        header = json.dumps({"submission_id": one, "submission_key": "key"})
        work = {"xqueue_header": header, "xqueue_body": "work", "xqueue_files": "{}"}
        return Said(200, {}, json.dumps({"return_code": 0, "content": json.dumps(work)}).encode())


class Here:
    """The broker's side: whether there is room, and what was handed in, if the broker takes it."""

    def __init__(self) -> None:
        self.room = True
        self.broker_is_up = True
        self.handed_in: list[int] = []

    async def wait_up_to_date(self) -> None:
        """The ledger is read."""

    async def is_there(self) -> bool:
        return self.room

    async def hand_in(self, _: str, __: str, taken: Taken, ___: bytes) -> None:
        if not self.broker_is_up:
            raise BrokerUnavailableError("blocked")
        self.handed_in.append(taken.submission_id)


def taking(upstream: Upstream, here: Here) -> Taking:
    metrics = Metrics(dict).of("lms", "there")
    return Taking(
        From("lms", "there", "openedx"),
        cast("Any", upstream),
        cast("Any", here),
        cast("Any", here),
        ledger=cast("Any", here),
        taken_before=TakenBefore(["lms"], ["openedx"]),
        metrics=metrics,
        poll=0.5,
    )


async def test_one_after_the_other_is_taken_while_there_is_room_and_then_it_is_asked_now_and_then() -> None:
    upstream, here = Upstream(1, 2), Here()
    each = taking(upstream, here)
    assert [await each._take_one() for _ in range(3)] == [0, 0, 0.5]
    assert here.handed_in == [1, 2]
    here.room = False
    assert await each._take_one() == 0.5
    assert upstream.asked == 3


async def test_what_the_broker_does_not_take_is_kept_and_nothing_else_is_taken_meanwhile() -> None:
    upstream, here = Upstream(1, 2), Here()
    each = taking(upstream, here)
    here.broker_is_up = False
    assert [await each._take_one() for _ in range(5)] == [0.5] * 5
    assert upstream.asked == 1
    here.broker_is_up = True
    assert [await each._take_one() for _ in range(2)] == [0, 0]
    assert here.handed_in == [1, 2]


async def test_a_repeat_is_dropped_and_the_next_look_takes_its_time() -> None:
    upstream, here = Upstream(1, 1, 1, 2), Here()
    each = taking(upstream, here)
    assert [await each._take_one() for _ in range(4)] == [0, REPEAT_PAUSE_SECONDS, REPEAT_PAUSE_SECONDS, 0]
    assert here.handed_in == [1, 2]


@pytest.mark.parametrize(
    "error", [TimeoutError(), OSError(), ValueError(), UpstreamError("why"), KeyError("a mistake")]
)
async def test_an_upstream_that_fails_is_asked_less_and_less_until_it_answers(error: Exception) -> None:
    upstream, here = Upstream(*[error] * 8, 1, error), Here()
    each = taking(upstream, here)
    pauses = [await each._take_one() for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 32, LAST_PAUSE_SECONDS, LAST_PAUSE_SECONDS]
    assert await each._take_one() == 0
    assert await each._take_one() == 1
