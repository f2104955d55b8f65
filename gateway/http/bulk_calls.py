"""get_submissions/ and put_results/: what get_submission/ and put_result/ do, for many submissions in one call."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.process.beside import Turns, beside
from broker_setup.wire.replies import too_much_in
from broker_setup.wire.strangers_json import read_json
from gateway.callers.door import account_of, permission_of
from gateway.http.envelope import envelope, success
from gateway.http.forms import FormLimits, TooLargeError, read_body
from gateway.http.grader_calls import (
    REPLY_TOO_LARGE,
    Reply,
    hand_in,
    members_of,
    parse_reply,
)
from gateway.http.polls import Polls
from gateway.http.refusals import (
    REFUSED,
    IllFormedError,
    OverLimitError,
    RefusedError,
    WrongMethodError,
    reason_of,
    text_of,
)
from gateway.leasing.handing_out import Handout
from gateway.leasing.reply_check import BadReplyError
from gateway.leasing.results import Permission, Results

log = logging.getLogger(__name__)

# The most submissions, or results, in one call.
MAX_BULK = 100

# How many bodies of put_results are read, and their results taken, at the same time: those that wait for the ledger
# wake together, in one round of the event loop.
BODIES_AT_ONCE = 4

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class BulkCalls:
    """Hands out submissions and takes results, up to 100 in one call."""

    def __init__(self, *, polls: Polls, results: Results, limits: FormLimits) -> None:
        """The limit on fields in `limits` is that of the body of put_results, too."""
        self._polls = polls
        self._results = results
        self._limits = limits
        self._turns = Turns(BODIES_AT_ONCE)

    async def get_submissions(self, request: Request) -> Response:
        """Lease the next submissions to the caller, up to `limit`; an empty list if there is none."""
        poll = await self._polls.read(request, "get_submissions")
        handouts = await self._polls.take(request, poll, parse_limit(poll.parameters))
        return await self._polls.answer(request, poll, handouts, written)

    async def put_results(self, request: Request) -> Response:
        """Take results, and say for each of them what put_result would have said."""
        if request.method != "POST":
            raise WrongMethodError("'put_results' must use HTTP POST")
        try:
            async with read_body(request, self._limits) as body:
                permission, account = permission_of(request), account_of(request)
                async with self._turns.turn():
                    replies = await beside(len(body), parse_replies, body)
                    # All at the same time, so that they share the broker's confirms.
                    taking = (self._take(reply, permission, account) for reply in replies)
                    return success(await asyncio.gather(*taking))
        except TooLargeError as error:
            raise OverLimitError(f"{REPLY_TOO_LARGE}: {error}") from error

    async def _take(self, reply: Reply | IllFormedError, permission: Permission, account: str) -> dict[str, object]:
        if isinstance(reply, IllFormedError):
            log.info("grader %r: a result was refused: %s", account, reply)
            return _refused(reply)
        try:
            await hand_in(self._results, reply, permission, account)
        except (BadReplyError, IllFormedError) as error:
            return _refused(error)
        except REFUSED as error:
            return envelope(1, text_of(error))
        except Exception:
            # The others' answers must not be lost with this one's.
            log.exception("a result could not be taken")
            return envelope(1, "Internal error")
        return envelope(0, "")


def written(handouts: Sequence[Handout]) -> Iterator[str]:
    """Write submissions as a JSON list, in pieces."""
    before = "["
    for handout in handouts:
        yield before
        yield from members_of(handout, expires_at=handout.expires_at)
        before = ", "
    yield "]" if handouts else "[]"


def _refused(error: BadReplyError | IllFormedError) -> dict[str, object]:
    # put_result says the reason in a header of its answer.
    return {**envelope(1, text_of(error)), "reason": reason_of(error)}


def parse_limit(parameters: Mapping[str, str]) -> int:
    """Say how many submissions a poll wants at most (1 to 100); raise RefusedError."""
    text = parameters.get("limit", "1")
    limit = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= limit <= MAX_BULK:
        raise RefusedError(f"'limit' must be a whole number from 1 to {MAX_BULK}")
    return limit


def parse_replies(body: bytes) -> list[Reply | IllFormedError]:
    """Read the body of put_results, an error for each ill-formed entry; raise RefusedError if all of it is."""
    try:
        text = body.decode(json.detect_encoding(body))
        # Counted before it is parsed: a value of three bytes takes seventy in memory.
        if wrong := too_much_in(text):
            raise RefusedError(f"The body is not JSON that can be read: {wrong}")
        content = read_json(text)
    except ValueError as error:
        raise RefusedError(f"The body is not JSON: {error}") from error
    except RecursionError as error:
        raise RefusedError("The body is not JSON that can be read: it is nested too deeply") from error
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list):
        raise RefusedError("The body must be a JSON object with a list 'results'")
    if len(results) > MAX_BULK:
        raise RefusedError(f"'results' has {len(results)} entries, of at most {MAX_BULK}")
    return [_parse_entry(entry) for entry in results]


def _parse_entry(entry: object) -> Reply | IllFormedError:
    try:
        return parse_reply(_strings(entry))
    except IllFormedError as error:
        return error
    except TooLargeError as error:
        return IllFormedError(str(error))


def _strings(entry: object) -> dict[str, str]:
    if not isinstance(entry, dict):
        return {}
    return {name: value for name, value in entry.items() if isinstance(value, str)}
