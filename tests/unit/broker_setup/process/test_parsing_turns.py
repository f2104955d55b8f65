"""Of each round of the event loop a few milliseconds are for parsing, whoever brings how much; short ones go first."""

import asyncio
from collections.abc import Callable
from itertools import groupby

import pytest

from broker_setup.process.parsing_turns import ROUND_SECONDS, TURN_SECONDS, ParsingTurns

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

    def begin(self, name: str, pieces: int, *, is_first: bool = True) -> None:
        self.left[name] = pieces
        self.turns.begin(asyncio.get_running_loop(), self.work_of(name), is_first=is_first)

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


async def test_the_first_piece_is_done_at_once_and_no_more(parsing: Parsing) -> None:
    parsing.begin("short", 1)
    parsing.begin("long", 3)
    assert parsing.done == [(0, "short"), (0, "long")]
    await parsing.rounds()
    assert parsing.done[2:] == [(1, "long")] * 2


async def test_what_comes_behind_in_an_answer_waits_in_line(parsing: Parsing) -> None:
    parsing.begin("behind", 1, is_first=False)
    assert parsing.done == []
    await parsing.rounds()
    assert parsing.done == [(1, "behind")]


@pytest.mark.parametrize("is_first", [True, False])
async def test_in_each_round_all_together_have_no_more_than_its_time(parsing: Parsing, *, is_first: bool) -> None:
    for number in range(200):
        parsing.begin(f"{number}", 10, is_first=is_first)
    await parsing.rounds()
    assert len(parsing.done) == 2000
    assert max(map(parsing.seconds_of, range(parsing.round + 1))) <= ROUND_SECONDS


async def test_a_first_piece_for_which_there_was_no_time_comes_before_those_in_line(parsing: Parsing) -> None:
    for number in range(20):
        parsing.begin(f"{number}", 10)
    parsing.begin("late", 1)
    assert (0, "late") not in parsing.done
    await parsing.rounds()
    before = [name for _, name in parsing.done[: parsing.done.index((1, "late"))]]
    assert len(before) == len(set(before))


async def test_those_in_line_go_on_however_many_come_first(parsing: Parsing) -> None:
    parsing.begin("long", 20, is_first=False)
    for number in range(1000):
        parsing.begin(f"{number}", 1)
    while parsing.left["long"] > 0:
        parsing.round += 1
        await asyncio.sleep(0)
    assert parsing.round == 5
    await parsing.rounds()


async def test_one_alone_has_one_turn_in_a_round(parsing: Parsing) -> None:
    parsing.begin("long", 12, is_first=False)
    await parsing.rounds()
    assert [parsing.seconds_of(number) for number in range(4)] == [0, *[TURN_SECONDS] * 3]


async def test_those_in_line_go_in_turn(parsing: Parsing) -> None:
    names = [f"{number}" for number in range(30)]
    for name in names:
        parsing.begin(name, 8, is_first=False)
    await parsing.rounds()
    assert [name for name, _ in groupby(name for _, name in parsing.done)] == [*names, *names]


async def test_an_error_of_one_holds_up_nobody_else(parsing: Parsing) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    for number in range(9):
        parsing.begin(f"{number}", 10)

    def fail() -> bool:
        raise ArithmeticError

    parsing.turns.begin(asyncio.get_running_loop(), fail, is_first=False)
    await parsing.rounds()
    assert len(errors) == 1
    assert isinstance(errors[0], ArithmeticError)
