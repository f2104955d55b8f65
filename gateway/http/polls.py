"""How submissions are asked for: by which parameters, for how long; and what becomes of them if the asker has gone."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from broker_setup.process.beside import LARGE_BYTES
from gateway.callers.door import account_of, permission_of
from gateway.callers.origin import address_of
from gateway.http.answer_room import share_of
from gateway.http.call_counts import note_empty
from gateway.http.departure import Departure
from gateway.http.envelope import success_of
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, read_form
from gateway.http.refusals import OverLimitError, QueueNotFoundError, RefusedError, WrongMethodError
from gateway.http.rounds import Rounds
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.deliveries import held_by
from gateway.leasing.handing_out import Handout

# The most that the setting MAX_WAIT may be.
LONGEST_WAIT_SECONDS = 60.0
# The name of a queue and a number or two.
_PARAMETER_LIMITS = FormLimits(fields=64 * 1024, file=0, files_total=0, files=0)
# A grader asks the same with each poll: what it asks is read once, where it is short.
_QUERIES_IN_MIND = 200
_LONGEST_IN_MIND = 256  # bytes


@dataclass(frozen=True)
class Poll:
    """Which queue is asked, and how many seconds the caller is ready to wait."""

    parameters: Mapping[str, str]
    queue: CourseQueue
    wait: float


class Polls:
    """Leases submissions to whoever polls; a poll may wait for up to `most` seconds."""

    def __init__(self, queues: Mapping[str, CourseQueue], most: float, departure: Departure) -> None:
        """When waits end by `departure`, polls find their queue empty."""
        self._queues = queues
        self._departure = departure
        self._most = most
        self._rounds = Rounds()

    async def read(self, request: Request, call: str) -> Poll:
        """Read what is asked for; raise RefusedError."""
        if request.method not in ("GET", "POST"):
            # HEAD, from proxies and monitors, would lease to nobody.
            raise WrongMethodError(f"'{call}' must use HTTP GET or POST")
        parameters = await parameters_of(request)
        name = parameters.get("queue_name")
        if name is None:
            raise RefusedError(f"'{call}' must provide parameter 'queue_name'")
        if name not in self._queues or not permission_of(request)(name):
            raise QueueNotFoundError.of(name)
        wait = parse_wait(parameters, self._most)
        if wait is None:
            raise RefusedError("'wait' must be a number of seconds")
        if "wait" not in parameters:
            wait = self._rounds.patience(_who(request), name, wait)
        return Poll(parameters, self._queues[name], wait)

    async def take(self, request: Request, poll: Poll, limit: int = 1) -> list[Handout]:
        """Lease up to `limit` submissions to the caller; to one who has gone by then, none."""
        with self._rounds.asking(_who(request), poll.queue.name):
            handouts = await take(request, poll.queue, poll.wait, limit, self._departure)
        if not handouts:
            note_empty(request)
        return handouts

    async def answer(
        self,
        request: Request,
        poll: Poll,
        handouts: Sequence[Handout],
        write: Callable[[Sequence[Handout]], Iterable[str]],
    ) -> Response:
        """Write the answer that has these submissions; take them back if the caller has gone meanwhile."""
        size = sum(held_by(handout.submission) for handout in handouts)
        answer = await success_of(size, partial(write, handouts))
        if size > LARGE_BYTES and await request.is_disconnected():
            poll.queue.take_back(handouts)
        return answer


async def take(request: Request, queue: CourseQueue, wait: float, limit: int, departure: Departure) -> list[Handout]:
    """Lease up to `limit` submissions to the caller; to one who has gone by then, none."""
    fits, grader = share_of(request).fits, account_of(request)
    if wait and not departure.is_over:
        handouts, has_gone = await _wait_for(
            request, partial(queue.take, limit, wait, fits=fits, grader=grader), departure
        )
    else:
        handouts = await queue.take(limit, fits=fits, grader=grader)
        has_gone = has_hung_up(request)
    if has_gone:
        # Nobody would get what was just leased.
        queue.take_back(handouts)
        return []
    return handouts


async def _wait_for(
    request: Request, leasing: Callable[[], Coroutine[Any, Any, list[Handout]]], departure: Departure
) -> tuple[list[Handout], bool]:
    """Return what was leased, and whether the caller has gone meanwhile, which ends the wait; so does the departure."""
    hang_up = asyncio.create_task(_hang_up(request))
    poll = asyncio.create_task(leasing())
    departure.ends(hang_up)
    try:
        await asyncio.wait({poll, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        has_gone = hang_up.done() and not hang_up.cancelled()
        if not poll.done() or (has_gone and poll.exception()):
            return [], has_gone
        return poll.result(), has_gone
    finally:
        departure.forgets(hang_up)
        poll.cancel()
        hang_up.cancel()


async def parameters_of(request: Request) -> Mapping[str, str]:
    """Return a call's parameters: those of the query, and of a POST those of its form as well; raise RefusedError."""
    if request.method != "POST":
        return _query_of(request)
    try:
        async with read_form(request, _PARAMETER_LIMITS) as form:
            return {**form.fields, **_query_of(request)}
    except BadFormError as error:
        raise RefusedError(f"The form can't be read: {error}") from error
    except TooLargeError as error:
        raise OverLimitError(f"The form is too large: {error}") from error


def parse_wait(parameters: Mapping[str, str], most: float) -> float | None:
    """Say how many seconds a poll is ready to wait, 0 to `most`; None if `wait` is no number."""
    text = parameters.get("wait")
    if text is None:
        return most if parameters.get("block", "").lower() == "true" else 0.0
    wait = parse_seconds(text)
    return None if wait is None else min(wait, most)


def parse_seconds(text: str) -> float | None:
    """Read a number of seconds, 0 or more; None if it is anything else."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    # Written so that NaN fails too.
    return seconds if seconds >= 0 else None


def _query_of(request: Request) -> Mapping[str, str]:
    query: bytes = request.scope["query_string"]
    return _read_query(query) if len(query) <= _LONGEST_IN_MIND else QueryParams(query)


@lru_cache(_QUERIES_IN_MIND)
def _read_query(query: bytes) -> Mapping[str, str]:
    return QueryParams(query)


def _who(request: Request) -> str:
    return f"{account_of(request)} {address_of(request)}"


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def has_hung_up(request: Request) -> bool:
    """Whether the caller has gone, as far as is known now: asked of the server, and let go where that would wait."""
    while True:
        asking = request.receive().__await__()
        try:
            next(asking)
        except StopIteration as said:
            if said.value["type"] == "http.disconnect":
                return True
        else:
            asking.close()
            return False
