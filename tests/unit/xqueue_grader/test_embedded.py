"""A grader within another program raises what is wrong with it, and leaves the program alone."""

import asyncio
import os

import pytest

from xqueue_grader.common.link.connection import Link
from xqueue_grader.errors import GraderBrokenError
from xqueue_grader.grader import Grader


async def test_a_mistake_of_ours_is_raised_to_the_program_that_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[object] = []
    monkeypatch.setattr(os, "kill", lambda *call: killed.append(call))

    async def mistaken(link: Link) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Link, "run", mistaken)

    async def grade(_: object) -> bytes:
        return b""

    async with asyncio.timeout(20):
        with pytest.raises(GraderBrokenError, match="ZeroDivisionError"):
            await Grader("amqp://nowhere", ["openedx"], grade).run()
    assert killed == []
