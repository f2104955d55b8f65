"""How long whoever looks after a process waits before it starts it again."""

# Seconds before a process that ended is started again; doubled each time.
FIRST_DELAY, LAST_DELAY = 0.5, 15.0
# One that ran this long starts again at the first delay.
STEADY_SECONDS = 30.0


def next_delay(last: float | None, ran: float) -> float:
    """Return how long to wait before the next start, from the wait before the last one and how long that ran."""
    if last is None or ran >= STEADY_SECONDS:
        return FIRST_DELAY
    return min(last * 2, LAST_DELAY)
