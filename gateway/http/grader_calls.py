"""get_queuelen/, get_submission/ and put_result/: the calls of pull graders."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.errors import MessageTooLargeError
from gateway.http.envelope import refusal, success
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, read_form
from gateway.http.lms_calls import json_object
from gateway.leasing.course_queue import CourseQueue, Handout
from gateway.leasing.results import Results
from gateway.leasing.waiting_count import WaitingCount

log = logging.getLogger(__name__)

INCORRECT_FORMAT = "Incorrect reply format"
# What older watchers, who say block=true, are ready to wait; also the most that `wait` may ask for.
MAX_WAIT_SECONDS = 60.0

# Python converts no more than 4,300 digits.
_INTEGER = re.compile(r"-?[0-9]{1,4000}", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """What a well-formed put_result hands in."""

    submission_id: int
    key: str
    body: str


class GraderCalls:
    """Hands out submissions and takes results."""

    def __init__(
        self,
        *,
        queues: Mapping[str, CourseQueue],
        counts: WaitingCount,
        results: Results,
        limits: FormLimits,
    ) -> None:
        self._queues = queues
        self._counts = counts
        self._results = results
        self._limits = limits

    async def get_queuelen(self, request: Request) -> Response:
        """Say how many submissions wait unleased."""
        queue = request.query_params.get("queue_name")
        if queue is None:
            return refusal("'get_queuelen' must provide parameter 'queue_name'")
        if queue not in self._queues:
            return refusal(f"Valid queue names are: {', '.join(self._queues)}")
        return success(await self._counts.of(queue))

    async def get_submission(self, request: Request) -> Response:
        """Lease the next submission to the caller."""
        name = request.query_params.get("queue_name")
        if name is None:
            return refusal("'get_submission' must provide parameter 'queue_name'")
        if name not in self._queues:
            return refusal(f"Queue '{name}' not found")
        wait = parse_wait(request.query_params)
        if wait is None:
            return refusal("'wait' must be a number of seconds")
        handouts = await self._take(request, self._queues[name], wait)
        return success(render(handouts[0])) if handouts else refusal(f"Queue '{name}' is empty")

    async def put_result(self, request: Request) -> Response:
        """Take a result: when this answers 0, the broker has it on disk and it will reach the LMS."""
        if request.method != "POST":
            return refusal("'put_result' must use HTTP POST")
        try:
            async with read_form(request, self._limits) as form:
                reply = parse_reply(form.fields)
            if reply is None:
                return refusal(INCORRECT_FORMAT)
            await self._results.take(reply.submission_id, reply.key, reply.body.encode(errors="surrogatepass"))
        except BadFormError as error:
            log.info("a result was refused: %s", error)
            return refusal(INCORRECT_FORMAT)
        except (TooLargeError, MessageTooLargeError) as error:
            return refusal(f"Reply is too large: {error}")
        return success("")

    async def _take(self, request: Request, queue: CourseQueue, wait: float) -> list[Handout]:
        if wait == 0:
            return await queue.take()
        # A long poll ends when its caller hangs up, or the submission would be leased to nobody.
        poll = asyncio.create_task(queue.take(wait=wait))
        hang_up = asyncio.create_task(_hang_up(request))
        try:
            await asyncio.wait({poll, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            return await poll if poll.done() else []
        finally:
            poll.cancel()
            hang_up.cancel()


def parse_wait(parameters: Mapping[str, str]) -> float | None:
    """Say how many seconds a poll is ready to wait (0 to 60); None if `wait` is no number."""
    text = parameters.get("wait")
    if text is None:
        return MAX_WAIT_SECONDS if parameters.get("block", "").lower() == "true" else 0.0
    try:
        wait = float(text)
    except ValueError:
        return None
    # Written so that NaN fails too.
    return min(wait, MAX_WAIT_SECONDS) if wait >= 0 else None


def parse_reply(fields: Mapping[str, str]) -> Reply | None:
    """Read a put_result's fields; None if anything that the contract asks for is missing or of another kind."""
    header, body = json_object(fields.get("xqueue_header", "")), fields.get("xqueue_body")
    if header is None or body is None:
        return None
    submission_id, key = header.get("submission_id"), header.get("submission_key")
    if isinstance(submission_id, str) and _INTEGER.fullmatch(submission_id):
        submission_id = int(submission_id)
    if not isinstance(submission_id, int) or isinstance(submission_id, bool) or not isinstance(key, str):
        return None
    return Reply(submission_id, key, body)


def render(handout: Handout) -> str:
    """Write a submission the way pull graders read it: JSON strings within a JSON string."""
    header = {"submission_id": handout.submission.submission_id, "submission_key": handout.key}
    return json.dumps(
        {
            "xqueue_header": json.dumps(header),
            "xqueue_body": handout.submission.body,
            "xqueue_files": json.dumps(dict(handout.submission.files)),
        },
    )


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
