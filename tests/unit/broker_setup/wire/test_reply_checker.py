"""Who looks at a reply: the event loop, a thread, or a process that may die of it."""

import asyncio
import json
import os
import signal
from typing import Any

import psutil
import pytest

from broker_setup.wire import reply_checker as module
from broker_setup.wire.replies import FINE, Finding
from broker_setup.wire.reply_checker import (
    BESIDE_BYTES,
    DEADLY,
    SUSPECTED_RETURNS,
    DeadlyMessageError,
    ReplyChecker,
    Taster,
)
from tests.support.poison import check_and_die
from tests.support.waiting import eventually

SCORE = "https://lms.example/xqueue/score_update"
ELSEWHERE = "https://lms.example/hook"
GOOD = b'{"correct": true, "score": 1, "msg": "Good"}'
LARGE = json.dumps({"correct": True, "score": 1, "msg": "x" * BESIDE_BYTES}).encode()


def children() -> set[psutil.Process]:
    """The processes that this one has spawned, and that live."""
    found = psutil.Process().children()
    return {child for child in found if child.is_running() and child.status() != psutil.STATUS_ZOMBIE}


async def no_more_children_than(before: set[psutil.Process]) -> None:
    # multiprocessing keeps one to itself, for all.
    await eventually(lambda: not [each for each in children() - before if "spawn_main" in " ".join(each.cmdline())])


def test_a_usual_reply_is_checked_at_once_and_a_large_or_suspected_one_is_not() -> None:
    checker = ReplyChecker()
    assert checker.at_once(SCORE, GOOD) == FINE
    assert checker.at_once(SCORE, GOOD, SUSPECTED_RETURNS - 1) == FINE
    assert checker.at_once(SCORE, b"x") == Finding("it is not JSON")
    assert checker.at_once(SCORE, LARGE) is None
    assert checker.at_once(SCORE, GOOD, SUSPECTED_RETURNS) is None
    assert checker.at_once(SCORE, b"[" + b"[]," * 3_000 + b"[]]") is None, "7 ms for 9 KB"


def test_what_is_not_looked_at_costs_nothing_however_large_and_suspected() -> None:
    checker = ReplyChecker(most=len(LARGE) - 1)
    assert checker.at_once(ELSEWHERE, LARGE, 1_000) == FINE
    too_large = checker.at_once(SCORE, LARGE)
    assert too_large
    assert too_large.wrong.startswith(f"it has {len(LARGE)} bytes")


async def test_the_event_loop_goes_on_while_a_large_reply_is_checked() -> None:
    checking = asyncio.create_task(ReplyChecker().check(SCORE, LARGE))
    await asyncio.sleep(0)
    assert not checking.done()
    assert await checking == FINE


async def test_a_suspected_reply_is_checked_by_another_process_which_goes_afterwards() -> None:
    checker, before = ReplyChecker(), children()
    found = await asyncio.gather(*(checker.check(SCORE, reply, SUSPECTED_RETURNS) for reply in (GOOD, b"x", GOOD)))
    assert found == [FINE, Finding("it is not JSON"), FINE]
    await no_more_children_than(before)


async def test_a_reply_of_which_two_processes_die_is_refused_and_those_beside_it_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "check_reply", check_and_die)
    checker, before = ReplyChecker(), children()
    replies = (GOOD, b"poison", GOOD)
    found = await asyncio.gather(*(checker.check(SCORE, reply, SUSPECTED_RETURNS) for reply in replies))
    assert found == [FINE, Finding(DEADLY), FINE]
    await no_more_children_than(before)


async def test_a_death_that_does_not_come_again_was_no_fault_of_what_was_looked_at(tmp_path: Any) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    assert await Taster().ask(die_once, str(trap)) == "alive"


def die_once(trap: str) -> str:
    if os.path.exists(trap):  # noqa: PTH110
        os.rmdir(trap)  # noqa: PTH106
        os.kill(os.getpid(), signal.SIGSEGV)
    return "alive"


async def test_a_process_that_looks_at_suspects_has_bounded_memory() -> None:
    assert await Taster().ask(bytes, 2 * 1024**3) is None


async def test_a_process_that_looks_at_suspects_is_not_ended_by_a_service_manager() -> None:
    assert await Taster().ask(survive_sigterm, 1) == 1


def survive_sigterm(answer: int) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return answer


async def test_work_that_came_back_often_is_tasted_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = ReplyChecker()
    await checker.taste(b"no submission", 0)
    await checker.taste(b"no submission", SUSPECTED_RETURNS)
    monkeypatch.setattr(module, "_read_work", die)
    await checker.taste(b"x", SUSPECTED_RETURNS - 1)
    with pytest.raises(DeadlyMessageError, match="ended the process"):
        await checker.taste(b"x", SUSPECTED_RETURNS)


def die(_: bytes) -> bool:
    os._exit(139)
