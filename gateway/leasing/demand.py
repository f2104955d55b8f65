"""When to consume, rotate or pause: the policy of a gateway-managed consumer, as a pure function."""

from enum import Enum, auto

from msgspec import Struct

# A delivery that nobody here asked for in this time goes back, so that a grader at another gateway gets it.
STALE_SECONDS = 1.0
# After the last poll; a grader that polls every few seconds keeps its consumer, a weekly one doesn't.
IDLE_SECONDS = 5.0
# What was seen of whether the queue is paused is good for so long; of a pause that begins gateways hear at once.
SEEN_SECONDS = 5.0
# Prefetch begins at one and doubles with each rotation: a lone grader holds nothing back from others, a busy fleet is
# served from memory. The size in bytes is bounded too: a poll is answered from memory, not every submission kept there.
FIRST_PREFETCH = 1
MAX_PREFETCH = 64
MAX_PREFETCH_BYTES = 8 * 1024 * 1024
# The sizes to come are unknown: many small ones may be followed by as many large ones, before a smaller prefetch helps.
MAX_BUFFERED_BYTES = 4 * MAX_PREFETCH_BYTES


class Step(Enum):
    """What the consumer should do next."""

    CONSUME = auto()
    ROTATE = auto()  # begin a new consumer with a fresh prefetch, then cancel the present one
    LOOK = auto()  # ask whether the queue is paused
    PAUSE = auto()  # cancel the consumer and give back what nobody asked for
    STAY = auto()


class View(Struct, frozen=True, gc=False):
    """What the policy looks at. Times are seconds."""

    consuming: bool
    prefetch: int  # of the present consumer
    held: int  # its deliveries that are leased: they use up its prefetch
    buffered: int  # deliveries that wait for a poll
    oldest: float  # how long the oldest of these has waited
    waiting: int  # polls that wait for a delivery
    polls: int  # polls since the present consumer began
    idle: float  # since the last poll
    wanted: int = 1  # the most that one of these polls asked for
    buffered_bytes: int = 0
    is_paused: bool = False  # by an operator, when it was last looked
    seen: float = 0.0  # how long ago that was


def next_step(view: View) -> Step:
    """Decide on the next step of a consumer."""
    if view.seen > SEEN_SECONDS and (view.consuming or view.waiting or view.idle <= IDLE_SECONDS):
        return Step.LOOK
    if view.is_paused:
        return Step.PAUSE if view.consuming or view.buffered else Step.STAY
    if view.consuming and view.buffered_bytes > MAX_BUFFERED_BYTES and view.buffered > 1:
        return Step.PAUSE
    if view.waiting == 0 and (view.oldest > STALE_SECONDS or (view.consuming and view.idle > IDLE_SECONDS)):
        return Step.PAUSE
    if not view.consuming:
        return Step.CONSUME if view.waiting else Step.STAY
    used_up = view.held >= max(1, view.prefetch // 2)
    running_dry = view.buffered <= view.prefetch // 4
    # With a prefetch of one, the one poll is that which took the delivery: its grader may want no more yet.
    wanted = view.waiting > 0 or (view.prefetch > 1 and view.polls > view.prefetch // 2)
    # A poll for many waits, and this consumer can't bring what it lacks.
    too_small = view.waiting > 0 and view.wanted > view.buffered and view.held + view.buffered >= view.prefetch
    return Step.ROTATE if (used_up and running_dry and wanted) or too_small else Step.STAY


def next_prefetch(prefetch: int, wanted: int, body_bytes: int) -> int:
    """Say how many deliveries the next consumer may have out, after one with `prefetch` and bodies of that size.

    `wanted` is the most that one poll asked for, and may be more than prefetch grows to by itself.
    """
    affordable = max(1, MAX_PREFETCH_BYTES // max(1, body_bytes))
    return min(max(min(2 * prefetch, MAX_PREFETCH), wanted), affordable)


def expected_size(before: int, body_bytes: int) -> int:
    """Say how large bodies may be after one of `body_bytes`: as the largest lately, which is forgotten bit by bit."""
    return max(body_bytes, before - before // 16)
