"""Of each round of the event loop a few milliseconds are for parsing, whoever brings how much."""

import asyncio
from collections.abc import Callable
from itertools import groupby

import pytest

from broker_setup.outbound.parsing_turns import LINE_SECONDS, ROUND_SECONDS, TURN_SECONDS, ParsingTurns

# What one piece takes, by the clock of these tests: a turn has four of them.
PIECE_SECONDS = TURN_SECONDS / 4


class Parsing:
    """Connections whose work takes some time by a clock of its own, and what was done of it in which round."""

    def __init__(self) -> None:
        self.now = 0.0
        self.round = 0
        self.done: list[tuple[int, str]] = []
        self.turns = ParsingTurns(lambda: self.now)
        self.left: dict[str, int] = {}

    def begin(self, name: str, pieces: int) -> None:
        self.left[name] = pieces
        self.turns.begin(asyncio.get_running_loop(), self.work_of(name))

    def work_of(self, name: str) -> Callable[[], bool]:
        def work() -> bool:
            self.now += PIECE_SECONDS
            self.left[name] -= 1
            self.done.append((self.round, name))
            return self.left[name] > 0

        return work

    async def rounds(self) -> None:
        """Let rounds pass until all is done."""
        while any(self.left.values()):
            self.round += 1
            await asyncio.sleep(0)

    def seconds_of(self, number: int) -> float:
        return PIECE_SECONDS * sum(begun == number for begun, _ in self.done)


@pytest.fixture
async def parsing() -> Parsing:
    return Parsing()


async def test_what_fits_a_turn_is_done_at_once(parsing: Parsing) -> None:
    parsing.begin("short", 2)
    assert parsing.done == [(0, "short")] * 2


async def test_in_each_round_all_together_have_no_more_than_its_time(parsing: Parsing) -> None:
    for number in range(200):
        parsing.begin(f"{number}", 10)
    assert parsing.seconds_of(0) <= ROUND_SECONDS + TURN_SECONDS
    await parsing.rounds()
    assert len(parsing.done) == 2000
    assert max(map(parsing.seconds_of, range(1, parsing.round + 1))) <= LINE_SECONDS + TURN_SECONDS


async def test_one_that_comes_later_does_not_stand_behind_those_in_line(parsing: Parsing) -> None:
    for number in range(20):
        parsing.begin(f"{number}", 10)
    await asyncio.sleep(0)
    parsing.round = 1
    parsing.begin("late", 1)
    assert parsing.done[-1] == (1, "late")
    await parsing.rounds()


async def test_one_alone_has_one_turn_in_a_round(parsing: Parsing) -> None:
    parsing.begin("long", 12)
    await parsing.rounds()
    assert [parsing.seconds_of(number) for number in range(3)] == [TURN_SECONDS] * 3


async def test_those_in_line_go_in_turn(parsing: Parsing) -> None:
    names = [f"{number}" for number in range(30)]
    for name in names:
        parsing.begin(name, 8)
    await parsing.rounds()
    turns = [name for name, _ in groupby(name for _, name in parsing.done)]
    # Four had their first turn at once.
    assert turns == [*names[:4], *names, *names[4:]]


async def test_an_error_of_one_holds_up_nobody_else(parsing: Parsing) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    for number in range(9):
        parsing.begin(f"{number}", 10)

    def fail() -> bool:
        raise ArithmeticError

    parsing.turns.begin(asyncio.get_running_loop(), fail)
    await parsing.rounds()
    assert len(errors) == 1
    assert isinstance(errors[0], ArithmeticError)
