"""Whose fault a failure is: that of one URL, or of its whole LMS; no I/O.

An LMS that fails one deleted problem for ever is well, and one that fails everything is not. What tells them apart are
other URLs: a failure is a URL's own where another one succeeded since it failed before, and an LMS is sick where many
different ones have failed and none has succeeded in between, whatever it answers. A redirect or a 404 for everything is
a site's, and passes when somebody mends that.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from callback_relay.reason import Reason

# So many different URLs in a row: with half of all results broken, one run in 256.
SUSPECTS = 8
# So many, for some time after a spell that was as short: then it is no outage, but good ones among many broken.
MIXED_SUSPECTS = 32
SHORT_SPELL_SECONDS = 60.0
# About 15 MB: URLs that failed and have not succeeded since, of all LMSs. What is forgotten fails for a first time.
MOST_FAILED_URLS = 100_000


class Blame(Enum):
    """Whose fault a failed try is."""

    URL = auto()  # its own: others of its LMS have succeeded since it failed before
    OPEN = auto()  # nobody knows: it failed for the first time, or is known to be sick and nothing has succeeded since
    ORIGIN = auto()  # its LMS's, or taken for that: it is sick, or nothing has succeeded since this one failed before


@dataclass(slots=True)
class _Failed:
    """A URL that failed: after how many successes of its LMS; whether it is known to be sick of its own."""

    successes: int
    is_own: bool


class FailedUrls:
    """The URLs that failed last, of all LMSs, by their hashes."""

    def __init__(self, most: int = MOST_FAILED_URLS) -> None:
        self._failed: OrderedDict[int, _Failed] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._failed)

    def find(self, key: int) -> _Failed | None:
        """Return what is known of a URL."""
        return self._failed.get(key)

    def note(self, key: int, failed: _Failed) -> None:
        """Remember that it failed, and forget who has not for longest."""
        self._failed[key] = failed
        self._failed.move_to_end(key)
        if len(self._failed) > self._most:
            self._failed.popitem(last=False)

    def forget(self, key: int) -> None:
        """Note that it succeeded."""
        self._failed.pop(key, None)


class Evidence:
    """What the callbacks of one LMS say of it: tell it of each that succeeded or failed."""

    def __init__(self, origin: str, failed: FailedUrls) -> None:
        """Remember the URLs of `origin` in `failed`."""
        self._origin = origin
        self._failed = failed
        self._suspects: set[int] = set()  # failed since the last success, and are not known to be sick of their own
        self._successes = 0
        self.is_sick = False
        self.reason: Reason | None = None  # of the last failure, where none has succeeded since
        self.sick_since = 0.0
        self.failed_at: float | None = None
        self._mixed_until = 0.0

    @property
    def is_spotless(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.is_sick and not self._suspects

    def succeeded(self, url: object, now: float) -> None:
        """Take in that a callback to `url` was taken: the LMS is well."""
        if self.is_sick and now - self.sick_since < SHORT_SPELL_SECONDS:
            self._mixed_until = now + SHORT_SPELL_SECONDS
        self._failed.forget(hash((self._origin, url)))
        self._suspects.clear()
        self._successes += 1
        self.is_sick = False
        self.reason = None

    def failed(self, url: object, reason: Reason, now: float, *, is_unreachable: bool = False) -> Blame:
        """Take in that a callback to `url` failed at `now`; say whose fault that is.

        One that can't be reached at all is sick at once: no URL can be the cause.
        """
        key = hash((self._origin, url))
        before = self._failed.find(key)
        is_shown = before is not None and before.successes < self._successes
        is_own = before is not None and (before.is_own or is_shown)
        self._failed.note(key, _Failed(self._successes, is_own))
        self.failed_at = now
        most = MIXED_SUSPECTS if now < self._mixed_until else SUSPECTS
        if not is_own and len(self._suspects) < most:
            self._suspects.add(key)
        if not self.is_sick and (is_unreachable or len(self._suspects) >= most):
            self.is_sick = True
            self.sick_since = now
        if self.is_sick:
            self.reason = reason
            return Blame.ORIGIN
        if is_shown:
            return Blame.URL
        return Blame.OPEN if before is None or is_own else Blame.ORIGIN
