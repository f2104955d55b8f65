"""How an LMS that is sick is asked, and how it comes to its full pace again; no I/O.

One callback at a time, each of another result: at first two in a second, then fewer and fewer. What was never tried
goes on at one in a second where the LMS answers at all, as there may be good ones among it that only a try can show.
"""

from callback_relay.ladder import Ladder

# Each probe that fails makes the pause to the next so much longer: half a second becomes 15 in the first minute.
GROWTH = 1.25


class Trickle:
    """The pace of one LMS's callbacks: `limit` is how many may be under way; sick, `is_due` says when the next goes.

    `answers` says whether the last callback that failed was answered at all.
    """

    def __init__(self, ladder: Ladder, most: int) -> None:
        """Allow `most` callbacks under way to an LMS that is well."""
        self._first = ladder.shortest / 2
        self._brisk = ladder.shortest
        self._longest = ladder.third / 2
        self._most = most
        self._began_at = 0.0
        self._not_before = 0.0
        self.answers = True
        self.limit = most
        self.pause = self._first

    def due_at(self, *, is_tried: bool) -> float:
        """Return when the next probe goes, with a result that was tried before or with one that never was."""
        pause = self.pause if is_tried or not self.answers else min(self.pause, self._brisk)
        return max(self._began_at + pause, self._not_before)

    def is_due(self, now: float, *, is_tried: bool) -> bool:
        """Whether a probe may go."""
        return now >= self.due_at(is_tried=is_tried)

    def sickened(self, now: float) -> None:
        """Begin to trickle."""
        self.pause = self._first
        self._began_at = now

    def probed(self, now: float) -> None:
        """Note that a probe goes."""
        self._began_at = now

    def failed(self, now: float, *, answered: bool, asked: float = 0.0) -> None:
        """Take in that a probe failed, or another without a success in between; wait as the LMS has `asked`."""
        self.pause = min(self.pause * GROWTH, self._longest)
        self.answers = answered
        self._not_before = now + min(asked, 2 * self._longest)

    def succeeded(self, *, was_sick: bool) -> None:
        """Take in that a callback was taken: a sick one is asked one at a time, and twice as many with each that is."""
        self.limit = 1 if was_sick else min(2 * self.limit, self._most)
        self.pause = self._first
        self._not_before = 0.0
        self.answers = True
