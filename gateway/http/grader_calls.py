"""get_queuelen/, get_submission/ and put_result/: the calls of pull graders."""

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.errors import MessageTooLargeError
from broker_setup.process.beside import beside
from gateway.callers.door import account_of, permission_of
from gateway.http.envelope import quoted, refusal, success
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, read_form
from gateway.http.lms_calls import json_object
from gateway.http.polls import Polls, parameters_of
from gateway.http.refusals import (
    IllFormedError,
    OverLimitError,
    QueueNotFoundError,
    RefusedError,
    WrongMethodError,
)
from gateway.leasing.handing_out import Handout
from gateway.leasing.results import Permission, Results
from gateway.leasing.waiting_count import WaitingCount

log = logging.getLogger(__name__)

REPLY_TOO_LARGE = "Reply is too large"
# What is written in one go; other threads wait for no longer than that takes.
SMALL_CHARACTERS = 16 * 1024
# Python converts no more than 4,300 digits.
_INTEGER = re.compile(r"-?[0-9]{1,4000}", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """What a well-formed put_result hands in."""

    submission_id: int
    key: str
    body: bytes


class GraderCalls:
    """Hands out submissions and takes results."""

    def __init__(
        self,
        *,
        queues: Collection[str],
        polls: Polls,
        counts: WaitingCount,
        results: Results,
        limits: FormLimits,
    ) -> None:
        self._queues = queues
        self._polls = polls
        self._counts = counts
        self._results = results
        self._limits = limits

    async def get_queuelen(self, request: Request) -> Response:
        """Say how many submissions wait unleased."""
        queue = (await parameters_of(request)).get("queue_name")
        if queue is None:
            raise RefusedError("'get_queuelen' must provide parameter 'queue_name'")
        may = permission_of(request)
        if queue not in self._queues or not may(queue):
            raise QueueNotFoundError(f"Valid queue names are: {', '.join(filter(may, self._queues))}", asked_for=queue)
        return success(await self._counts.of(queue))

    async def get_submission(self, request: Request) -> Response:
        """Lease the next submission to the caller."""
        poll = await self._polls.read(request, "get_submission")
        handouts = await self._polls.take(request, poll)
        if not handouts:
            # No failure, in either dialect.
            return refusal(f"Queue '{poll.queue.name}' is empty")
        return await self._polls.answer(request, poll, handouts, written)

    async def put_result(self, request: Request) -> Response:
        """Take a result: when this answers 0, the broker has it on disk and it will reach the LMS."""
        if request.method != "POST":
            raise WrongMethodError("'put_result' must use HTTP POST")
        try:
            # It counts as a form under way, MAX_FORMS_SIZE, until the broker has it.
            async with read_form(request, self._limits) as form:
                reply = await beside(form.size, parse_reply, form.fields)
                form.fields.clear()
                await hand_in(self._results, reply, permission_of(request), account_of(request))
        except (BadFormError, IllFormedError) as error:
            log.info("grader %r: a result was refused: %s", account_of(request), error)
            raise IllFormedError(str(error)) from error
        except TooLargeError as error:
            raise OverLimitError(f"{REPLY_TOO_LARGE}: {error}") from error
        return success("")


async def hand_in(results: Results, reply: Reply, permission: Permission, account: str) -> None:
    """Take a result; raise RefusedError if it is too large, or what Results.take raises."""
    try:
        await results.take(reply.submission_id, reply.key, reply.body, permission, account)
    except MessageTooLargeError as error:
        raise OverLimitError(f"{REPLY_TOO_LARGE}: {error}") from error


def parse_reply(fields: Mapping[str, str]) -> Reply:
    """Read a put_result's fields; raise IllFormedError if one of the contract's is missing or of another kind."""
    lease, body = parse_header(fields.get("xqueue_header")), fields.get("xqueue_body")
    if body is None:
        raise IllFormedError("xqueue_body is missing")
    return Reply(*lease, body.encode(errors="surrogatepass"))


def parse_header(text: str | None) -> tuple[int, str]:
    """Read the submission id and the key out of an xqueue_header; raise IllFormedError if it is no such header."""
    if text is None:
        raise IllFormedError("xqueue_header is missing")
    header = json_object(text)
    if header is None:
        raise IllFormedError("xqueue_header is not a JSON object")
    submission_id, key = header.get("submission_id"), header.get("submission_key")
    if isinstance(submission_id, str) and _INTEGER.fullmatch(submission_id):
        submission_id = int(submission_id)
    if not isinstance(submission_id, int) or isinstance(submission_id, bool):
        raise IllFormedError("submission_id in xqueue_header is missing, or no integer")
    if not isinstance(key, str):
        raise IllFormedError("submission_key in xqueue_header is missing, or no text")
    return submission_id, key


def written(handouts: Sequence[Handout]) -> Iterable[str]:
    """Write a submission the way pull graders read it, in pieces: a JSON string that has JSON strings within."""
    if all(len(handout.submission.body) <= SMALL_CHARACTERS for handout in handouts):
        return quoted([json.dumps(strings_of(handout)) for handout in handouts])
    return quoted(*(members_of(handout) for handout in handouts))


def members_of(handout: Handout, **more: float) -> Iterator[str]:
    """Write a submission as a JSON object, with some numbers more, in pieces."""
    before = "{"
    for name, text in strings_of(handout).items():
        yield f'{before}"{name}": '
        yield from quoted([text])
        before = ", "
    yield "".join(f', "{name}": {json.dumps(number)}' for name, number in more.items()) + "}"


def strings_of(handout: Handout) -> dict[str, str]:
    """Return the three strings of a submission; two of them are JSON."""
    header = {"submission_id": handout.submission.submission_id, "submission_key": handout.key}
    return {
        "xqueue_header": json.dumps(header),
        "xqueue_body": handout.submission.body,
        "xqueue_files": json.dumps(dict(handout.submission.files)) if handout.submission.files else "{}",
    }
