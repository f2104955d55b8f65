"""A server as graders use it: polls, results, leases; what it can is found by what it answers."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from time import time
from typing import TypeVar

from xqueue_grader.common.errors import BadMessageError, MessageTooLargeError
from xqueue_grader.common.wire.replies import MAX_REPLY_BYTES
from xqueue_grader.transports.over_http.address import Address
from xqueue_grader.transports.over_http.answers import Answer, NoSuchCallError, UnavailableError, sent_at
from xqueue_grader.transports.over_http.handed import Handed, read_handed
from xqueue_grader.transports.over_http.session import Session

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long a poll waits at the server, which no proxy on the way takes for too long.
WAIT_SECONDS = 25
MAX_LIMIT = 100
# For results, extensions and releases: each takes a moment.
CALLS_AT_ONCE = 8


class QueueRefusedError(UnavailableError):
    """The server knows no such queue, or it is not this account's; that may be mended there."""


@dataclass
class Abilities:
    """What a server can, beside what all can; `bulk` is None until it has been asked."""

    bulk: bool | None = None
    extend: bool = True
    release: bool = True

    @property
    def keeps_leases(self) -> bool:
        """Whether a lease can be made to last, so that a submission may wait here."""
        return bool(self.bulk) and self.extend


class Server:
    """Calls one server, from an event loop, in threads of its own; all of it raises UnavailableError."""

    def __init__(self, address: Address, queues: int) -> None:
        """Make ready for so many polls at a time; nothing is opened yet."""
        self._session = Session(address, CALLS_AT_ONCE)
        # Apart, so that they can be cut off while results are still handed in.
        self._polls = Session(address, queues)
        self._callers = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="xqueue-calls")
        self._pollers = ThreadPoolExecutor(queues, thread_name_prefix="xqueue-polls")
        self._asked_at = 0  # after so many logins
        self.can = Abilities()

    async def poll(self, queue: str, limit: int) -> list[Handed]:
        """Take up to `limit` submissions of a queue; wait for the first, if the server does."""
        return await _in(self._pollers, partial(self._poll, queue, limit))

    async def put(self, header: str, reply: bytes) -> str:
        """Hand in a result; return "" where it is taken, or why not. Raise MessageTooLargeError."""
        # As Django, which the original was made with, reads forms: what is no UTF-8 is replaced.
        form = {"xqueue_header": header, "xqueue_body": reply.decode(errors="replace")}
        answer = await self._call("put_result", form)
        is_bad = answer.status == HTTPStatus.BAD_REQUEST and not answer.envelope
        if answer.is_too_large or (is_bad and len(reply) > MAX_REPLY_BYTES):
            raise MessageTooLargeError(f"the server takes no reply of {len(reply)} bytes")
        if is_bad:
            return "it answers 400"
        refusal = _understood(answer).read().refusal
        return f"{refusal}: {reason}" if (reason := answer.headers.get("x-xqueue-reason")) and refusal else refusal

    async def extend(self, header: str, seconds: float) -> tuple[str, float | None]:
        """Have a lease run for so many seconds from now; return why not, and how long it runs as far as is known.

        Raise NoSuchCallError where the server extends nothing.
        """
        answer = await self._call("extend_lease", {"xqueue_header": header, "seconds": f"{seconds:g}"})
        try:
            envelope = answer.read()
        except NoSuchCallError:
            self.can.extend = False
            raise
        until = envelope.content.get("expires_at") if isinstance(envelope.content, dict) else None
        left = until - _now(answer) if isinstance(until, int | float) else None
        return envelope.refusal, left

    async def release(self, header: str, *, failed: bool) -> str:
        """Give a submission back; return "" where that is done, or why not. Raise NoSuchCallError."""
        answer = await self._call("release_submission", {"xqueue_header": header, "failed": str(failed).lower()})
        try:
            return answer.read().refusal
        except NoSuchCallError:
            self.can.release = False
            raise

    def cut_off_polls(self) -> None:
        """End the polls that are under way: a server notices, and hands nothing out to them."""
        self._polls.cut_off()
        self._pollers.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End everything."""
        self.cut_off_polls()
        self._session.cut_off()
        self._callers.shutdown(wait=False, cancel_futures=True)

    def _poll(self, queue: str, limit: int) -> list[Handed]:
        logins = self._polls.logins
        # After a login there may be another server than before.
        if self.can.bulk is not False or logins > self._asked_at:
            self._asked_at = logins
            with suppress(NoSuchCallError):
                return self._poll_many(queue, limit)
        return self._poll_one(queue)

    def _poll_many(self, queue: str, limit: int) -> list[Handed]:
        wait = WAIT_SECONDS if self.can.bulk else 0
        query = {"queue_name": queue, "limit": str(min(limit, MAX_LIMIT)), "wait": str(wait)}
        answer = self._polls.call("GET", "get_submissions", query=query)
        envelope = answer.read()
        if not self.can.bulk:
            self.can = Abilities(bulk=True)
        if envelope.refusal:
            raise QueueRefusedError(envelope.refusal, may_be_done=False)
        return _read_all(envelope.content if isinstance(envelope.content, list) else [envelope.content], answer)

    def _poll_one(self, queue: str) -> list[Handed]:
        answer = self._polls.call("GET", "get_submission", query={"queue_name": queue})
        envelope = _understood(answer).read()
        if self.can.bulk is not False:
            log.info("this server hands out one at a time, and no lease can be made longer or given back")
        self.can.bulk = False
        if not envelope.refusal:
            return _read_all([envelope.content], answer)
        if envelope.refusal.endswith(" is empty"):
            return []
        raise QueueRefusedError(envelope.refusal, may_be_done=False)

    async def _call(self, name: str, form: Mapping[str, str]) -> Answer:
        return await _in(self._callers, partial(self._session.call, "POST", name, form=form))


async def _in(threads: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, call)
    except RuntimeError as error:  # they have been shut down
        raise UnavailableError("we are stopping", may_be_done=False) from error


def _understood(answer: Answer) -> Answer:
    """Return an answer to a call that every server has; raise UnavailableError where this one hasn't."""
    try:
        answer.read()
    except NoSuchCallError as error:
        raise UnavailableError(f"{error}: is the path of the URL right?", may_be_done=False) from None
    return answer


def _read_all(contents: list[object], answer: Answer) -> list[Handed]:
    handed = []
    for content in contents:
        try:
            handed.append(read_handed(content, _now(answer)))
        except BadMessageError as error:  # it can't be answered, nor given back
            log.error("%s", error)  # noqa: TRY400 - where in our code, nobody needs
    return handed


def _now(answer: Answer) -> float:
    return sent_at(answer.headers) or time()
