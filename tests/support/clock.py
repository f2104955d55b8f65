"""A clock that a test sets."""


class Clock:
    """Call it for the time, in seconds; add to `now` and it is later."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
