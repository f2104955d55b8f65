"""Which workers a parent starts, retires, stops and kills, and when it ends itself."""

from collections.abc import Iterable
from math import inf
from signal import SIGINT, SIGKILL, SIGTERM

from broker_setup.process.back_off import FIRST_DELAY, STEADY_SECONDS
from gateway.workers.actions import Action, End, Open, Retire, Say, Send, Start
from gateway.workers.crew import (
    FIRST_WORD_SECONDS,
    READY_SECONDS,
    RETIRE_SECONDS,
    SILENT_SECONDS,
    STOOD_SECONDS,
    STOP_SECONDS,
    Crew,
)


class Played:
    """A crew whose workers are numbers that count up from 101; `started` are those that it wanted, in order."""

    def __init__(self, count: int, stop_time: float = 0.0) -> None:
        self.crew = Crew(count, stop_time)
        self.now = 1000.0
        self.started: list[tuple[int, int]] = []
        self.can_start = True
        self.first = self.do(self.crew.begin())

    def do(self, actions: Iterable[Action]) -> list[Action]:
        """Carry out what it wants to have started; return what else it wants, without what it says."""
        others: list[Action] = []
        for action in list(actions):
            if isinstance(action, Start) and not self.can_start:
                others += self.do(self.crew.not_started(action, "no memory", self.now))
            elif isinstance(action, Start):
                pid = 101 + len(self.started)
                self.started.append((action.number, pid))
                others += self.do(self.crew.started(action, pid, self.now))
            elif not isinstance(action, Say):
                others.append(action)
        return others

    def get_ready(self, *pids: int) -> list[Action]:
        return [
            action
            for pid in pids
            for action in (*self.do(self.crew.serves(pid)), *self.do(self.crew.is_ready(pid, self.now)))
        ]

    def end(self, pid: int, code: int = -SIGKILL) -> list[Action]:
        return self.do(self.crew.ended(pid, code, self.now))

    def pass_time(self, seconds: float) -> list[Action]:
        self.now += seconds
        return self.do(self.crew.look(self.now))


def running(count: int, stop_time: float = 0.0) -> Played:
    played = Played(count, stop_time)
    played.get_ready(101)
    played.get_ready(*range(102, 101 + count))
    return played


def test_the_others_are_started_once_the_first_serves() -> None:
    played = Played(3)
    assert played.started == [(1, 101)]
    played.get_ready(101)
    assert played.started == [(1, 101), (2, 102), (3, 103)]
    played.get_ready(102, 103)
    assert len(played.started) == 3


def test_one_takes_connections_before_it_is_ready_where_nobody_else_does() -> None:
    played = Played(2)
    assert played.first == [Open(101)]
    assert played.do(played.crew.serves(101)) == []
    played.end(102)
    assert played.pass_time(FIRST_DELAY) == []
    assert played.end(101) == [Open(103)]
    assert played.pass_time(FIRST_DELAY) == [Open(103), Open(104)]


def test_one_that_ends_while_none_serves_ends_the_parent_with_its_exit_code() -> None:
    assert Played(2).end(101, 1) == [End(1)]


def test_what_is_killed_from_outside_is_started_again_where_some_have_served() -> None:
    assert Played(1).end(101, -SIGKILL) == [End(-SIGKILL)]
    played = running(1)
    played.end(101)
    played.pass_time(FIRST_DELAY)
    assert played.end(102, -SIGKILL) == []
    assert played.pass_time(2 * FIRST_DELAY) == [Open(103)]
    assert played.end(103, 1) == [End(1)]


def test_one_that_ends_before_it_serves_is_started_again_while_another_serves() -> None:
    played = Played(2)
    played.get_ready(101)
    assert played.end(102, 3) == []
    played.pass_time(FIRST_DELAY)
    assert played.started[2:] == [(2, 103)]


def test_others_that_are_starting_are_stopped_before_the_parent_ends() -> None:
    played = running(2)
    played.end(101)
    played.end(102)
    assert played.pass_time(FIRST_DELAY) == [Open(103), Open(103), Open(104)]
    assert played.started[2:] == [(1, 103), (2, 104)]
    assert played.end(103, 1) == [Send(104, SIGTERM)]
    assert played.end(104, -SIGTERM) == [End(1)]


def test_one_that_ends_is_started_again_after_a_moment_that_grows_while_it_keeps_ending() -> None:
    played = running(2)
    played.end(102)
    assert played.crew.next_look() == played.now + FIRST_DELAY
    played.pass_time(FIRST_DELAY / 2)
    assert len(played.started) == 2
    played.pass_time(FIRST_DELAY / 2)
    played.end(103)
    played.pass_time(FIRST_DELAY)
    assert len(played.started) == 3
    played.pass_time(FIRST_DELAY)
    played.now += STEADY_SECONDS
    played.end(104)
    assert played.crew.next_look() == played.now + FIRST_DELAY


def test_one_that_can_not_be_started_is_tried_again_and_the_others_go_on() -> None:
    played = running(2)
    played.end(102)
    played.can_start = False
    assert played.pass_time(FIRST_DELAY) == []
    assert played.crew.next_look() == played.now + 2 * FIRST_DELAY
    assert played.pass_time(2 * FIRST_DELAY) == []
    played.can_start = True
    assert played.pass_time(4 * FIRST_DELAY) == []
    assert played.started[2:] == [(2, 103)]


def test_a_newcomer_that_can_not_be_started_leaves_all_as_they_are() -> None:
    played = running(2)
    played.can_start = False
    assert played.do(played.crew.hang_up()) == []
    assert played.crew.next_look() == inf
    played.can_start = True
    played.do(played.crew.hang_up())
    assert played.get_ready(103) == [Retire(101)]


def test_nothing_is_due_while_all_is_well() -> None:
    assert running(2).crew.next_look() == inf


def test_a_hang_up_replaces_one_after_the_other_each_by_one_that_is_ready() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    assert played.started[2:] == [(1, 103)]
    assert played.do(played.crew.serves(103)) == []
    assert played.do(played.crew.is_ready(103, played.now)) == [Retire(101)]
    assert played.started[2:] == [(1, 103)]
    assert played.end(101, 0) == []
    assert played.started[3:] == [(2, 104)]
    assert played.get_ready(104) == [Retire(102)]
    played.end(102, 0)
    assert len(played.started) == 4
    assert played.crew.next_look() == inf


def test_a_second_hang_up_replaces_all_once_more() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    played.do(played.crew.hang_up())
    for new, old in ((103, 101), (104, 103), (105, 102)):
        assert played.get_ready(new) == [Retire(old)]
        played.end(old, 0)
    assert [number for number, _ in played.started[2:]] == [1, 1, 2]


def test_a_newcomer_that_ends_before_it_is_ready_leaves_all_as_they_are() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    assert played.end(103, 1) == []
    assert played.pass_time(READY_SECONDS) == []
    assert len(played.started) == 3


def test_a_newcomer_that_does_not_get_ready_is_ended_and_leaves_all_as_they_are() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    played.do(played.crew.serves(103))
    assert played.pass_time(READY_SECONDS) == [Send(103, SIGKILL)]
    assert played.end(103) == []
    assert len(played.started) == 3
    assert played.crew.next_look() == inf


def test_a_newcomer_takes_the_place_of_one_that_ends_before_it_is_told_to() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    played.end(101)
    played.pass_time(FIRST_DELAY)
    assert [number for number, _ in played.started] == [1, 2, 1, 2]
    assert played.get_ready(103) == []
    assert played.get_ready(104) == [Retire(102)]


def test_one_that_was_retired_and_stays_is_killed() -> None:
    played = running(2)
    played.do(played.crew.hang_up())
    played.get_ready(103)
    assert played.pass_time(RETIRE_SECONDS) == [Send(101, SIGKILL)]
    played.end(101)
    assert played.started[3:] == [(2, 104)]


def test_one_that_says_nothing_more_is_killed_and_started_again() -> None:
    played = running(2)
    for _ in range(6):
        played.crew.lives(101, played.now)
        if played.now == 1000:
            played.crew.lives(102, played.now)
        assert played.pass_time(SILENT_SECONDS / 6) == ([Send(102, SIGKILL)] if played.now >= 1060 else [])
    played.end(102)
    played.pass_time(FIRST_DELAY)
    assert played.started[2:] == [(2, 103)]


def test_one_that_says_nothing_more_is_killed_also_where_nobody_else_says_anything() -> None:
    played = running(1)
    played.crew.lives(101, played.now)
    silent_since, done = played.now, played.pass_time(0)
    while not done:
        done = played.pass_time(played.crew.next_look() - played.now)
    assert done == [Send(101, SIGKILL)]
    assert played.now == silent_since + SILENT_SECONDS


def test_one_that_never_says_anything_is_killed_and_started_again() -> None:
    played = Played(2)
    played.crew.lives(101, played.now)
    played.get_ready(101)
    for _ in range(4):
        assert played.pass_time(FIRST_WORD_SECONDS / 5) == []
        played.crew.lives(101, played.now)
    assert played.pass_time(FIRST_WORD_SECONDS / 5) == [Send(102, SIGKILL)]
    played.end(102)
    played.pass_time(FIRST_DELAY)
    assert played.started[2:] == [(2, 103)]


def test_one_that_has_spoken_has_as_long_as_it_takes_to_serve() -> None:
    played = Played(1)
    played.crew.lives(101, played.now)
    for _ in range(10):
        assert played.pass_time(FIRST_WORD_SECONDS / 4) == []
        played.crew.lives(101, played.now)


def test_a_newcomer_whose_predecessor_has_ended_is_killed_if_it_never_says_anything() -> None:
    played = running(1)
    played.do(played.crew.hang_up())
    played.end(101)
    assert played.pass_time(FIRST_WORD_SECONDS) == [Send(102, SIGKILL)]


def test_nobody_is_killed_for_having_been_silent_while_the_machine_stood_still() -> None:
    played = running(2)
    played.crew.lives(101, played.now)
    played.pass_time(1)
    assert played.pass_time(10 * SILENT_SECONDS) == []
    assert played.pass_time(STOOD_SECONDS) == []
    for _ in range(3):
        assert played.pass_time(STOOD_SECONDS - 1) == []
    assert played.pass_time(STOOD_SECONDS - 1) == [Send(101, SIGKILL)]


def test_one_that_is_still_being_loaded_or_leaves_may_be_silent() -> None:
    played = running(1)
    played.crew.lives(101, played.now)
    played.do(played.crew.hang_up())
    assert played.get_ready(102) == [Retire(101)]
    for _ in range(10):
        assert played.pass_time(RETIRE_SECONDS / 11) == []


def test_all_are_stopped_by_the_signal_that_came_and_the_parent_ends_of_it_when_the_last_has() -> None:
    played = running(2)
    assert played.do(played.crew.stop(SIGTERM, played.now)) == [Send(101, SIGTERM), Send(102, SIGTERM)]
    assert played.end(102, -SIGTERM) == []
    assert played.end(101, -SIGTERM) == [End(-SIGTERM)]


def test_one_that_does_not_stop_is_killed() -> None:
    played = running(2)
    played.do(played.crew.stop(SIGTERM, played.now))
    played.end(102, -SIGTERM)
    assert played.pass_time(STOP_SECONDS) == [Send(101, SIGKILL)]
    assert played.end(101) == [End(-SIGTERM)]


def test_one_that_serves_on_when_it_is_told_to_stop_has_so_much_longer() -> None:
    played = running(1, stop_time=10.0)
    played.do(played.crew.stop(SIGTERM, played.now))
    assert played.pass_time(STOP_SECONDS) == []
    assert played.pass_time(10.0) == [Send(101, SIGKILL)]


def test_an_interrupt_is_no_failure_and_a_second_one_is_passed_on_and_puts_nothing_off() -> None:
    played = running(1)
    played.do(played.crew.stop(SIGINT, played.now))
    due = played.crew.next_look()
    played.now += 1
    assert played.do(played.crew.stop(SIGINT, played.now)) == [Send(101, SIGINT)]
    assert played.crew.next_look() == due
    assert played.end(101, 0) == [End(0)]


def test_nothing_is_started_or_replaced_while_it_stops() -> None:
    played = running(3)
    played.end(103)
    played.do(played.crew.hang_up())
    played.do(played.crew.stop(SIGTERM, played.now))
    assert played.do(played.crew.hang_up()) == []
    played.get_ready(104)
    played.end(101, -SIGTERM)
    assert played.pass_time(FIRST_DELAY) == []
    assert len(played.started) == 4


def test_one_that_waits_to_be_started_when_all_are_told_to_stop_is_not_waited_for() -> None:
    played = running(1)
    played.end(101)
    assert played.do(played.crew.stop(SIGTERM, played.now)) == [End(-SIGTERM)]
