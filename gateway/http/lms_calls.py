"""submit/: the call by which the LMS hands in a student's work."""

import logging
from collections.abc import Callable, Mapping
from time import monotonic, time

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError
from broker_setup.ledger.events import Submitted, hash_sender, hash_url
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.publisher import Publisher
from broker_setup.outbound.callback_check import CallbackCheck
from broker_setup.outbound.own_services import USER_AGENT
from broker_setup.process.beside import beside
from broker_setup.process.spans import Step, spans
from broker_setup.topology import SUBMISSIONS_EXCHANGE
from broker_setup.wire.properties import TRACEPARENT_HEADER, new_uuid
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.sealed_urls import UrlSeals
from broker_setup.wire.strangers_json import read_object
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.callers.door import account_of, permission_of
from gateway.http.envelope import success
from gateway.http.files import SubmittedFiles
from gateway.http.forms import BadFormError, Form, FormLimits, TooLargeError, read_form
from gateway.http.refusals import (
    CallbackRefusedError,
    IllFormedError,
    OverLimitError,
    QueueNotFoundError,
    RefusedError,
    WrongMethodError,
)
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.results import Permission
from gateway.leasing.waiting_count import WaitingCount

log = logging.getLogger(__name__)

INVALID_FORMAT = "Queue request has invalid format"
# The number of waiting submissions is only for show: counting it gets what is left of the 3 s for an answer.
ANSWER_SECONDS = 2.9
MIN_COUNT_SECONDS = 0.4
# In characters. No more than 112 KiB fit a message; this bounds parsing, as brackets take thirty times their size.
MAX_HEADER = 1024 * 1024


class SubmitForm(Struct, frozen=True, gc=False):
    """What a well-formed submit asks for; `lms_header` is verbatim."""

    queue: str
    callback_url: str
    lms_header: str
    body: str


class LmsCalls:
    """Turns submits into durable messages."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        sealer: Sealer,
        url_seals: UrlSeals,
        files: SubmittedFiles,
        counts: WaitingCount,
        ledger: Ledger,
        queues: Mapping[str, CourseQueue],
        limits: FormLimits,
        public_url: str | None,
        callbacks: CallbackCheck,
        supersede_after: Callable[[str], float | None],
        is_producer: Callable[[str, str], bool],
    ) -> None:
        """`is_producer` says whether a queue's list of who hands in work has an account by its name."""
        self._publisher = publisher
        self._sealer = sealer
        self._url_seals = url_seals
        self._files = files
        self._counts = counts
        self._ledger = ledger
        self._queues = queues
        self._limits = limits
        self._public_url = public_url
        self._callbacks = callbacks
        self._supersede_after = supersede_after
        self._is_producer = is_producer

    async def submit(self, request: Request) -> Response:
        """Accept a submission: when this answers 0, the broker has it on disk."""
        if request.method != "POST":
            raise WrongMethodError("Queue requests should use HTTP POST")
        if request.headers.get("user-agent") == USER_AGENT:
            # The callback URL leads back to us, by whatever name: the submission would submit itself for ever.
            raise CallbackRefusedError("Queue request is refused: it is a callback of XQueue's own")
        try:
            async with read_form(request, self._limits) as form:
                asked = await beside(form.size, parse_submit, form.fields)
                self._check(asked, permission_of(request))
                start = monotonic()
                with self._counts.submitting(asked.queue):
                    await self._accept(asked, form, account_of(request), self._base_url(request) if form.files else "")
        except (BadFormError, IllFormedError) as error:
            raise RefusedError(INVALID_FORMAT) from error
        except (TooLargeError, MessageTooLargeError) as error:
            raise OverLimitError(f"Queue request is too large: {error}") from error
        waiting = self._counts.at_hand(asked.queue)
        if waiting is None:
            left = ANSWER_SECONDS - (monotonic() - start)
            waiting = await self._waiting(asked.queue, within=max(left, MIN_COUNT_SECONDS))
        return success(str(max(1, waiting)))

    def _base_url(self, request: Request) -> str:
        return self._public_url or str(request.base_url).rstrip("/")

    def _check(self, asked: SubmitForm, permission: Permission) -> None:
        if asked.queue not in self._queues or not permission(asked.queue):
            raise QueueNotFoundError.of(asked.queue)
        if why := self._callbacks.why_not(asked.callback_url):
            raise CallbackRefusedError(f"Queue request is refused: {why}")

    async def _accept(self, asked: SubmitForm, form: Form, account: str, base_url: str) -> None:
        uuid, began = new_uuid(), spans.begin()
        files = await self._files.save(uuid, form.files, base_url) if form.files else {}
        try:
            message = await beside(form.size, self._message, uuid, asked, files)
            await self._publisher.begin_to_publish(message, exchange=SUBMISSIONS_EXCHANGE, routing_key=asked.queue)
        except BrokerUnavailableError as error:
            spans.tell(Step.SUBMIT, uuid, began, {"xqueue.queue": asked.queue}, error=str(error))
            # It may have been stored all the same; then a grader will want the files.
            raise
        except Exception:
            await self._files.remove(uuid, len(form.files))
            raise
        spans.tell(Step.SUBMIT, uuid, began, {"xqueue.queue": asked.queue})
        # Noted, not recorded: the submission is safe already, and the LMS need not wait for the ledger.
        uuid_bytes, url = bytes.fromhex(uuid), hash_url(asked.callback_url)
        self._ledger.note(
            Submitted(
                time(),
                uuid_bytes,
                asked.queue,
                supersede_after=self._supersede_after(asked.queue),
                url=url,
                sender=hash_sender(account, url),
                anybodys=self._is_producer(account, asked.queue),
                sealed_url=self._url_seals.seal(asked.callback_url, uuid_bytes),
            )
        )
        self._queues[asked.queue].submitted()
        log.debug("submission %s accepted for queue %s", uuid, asked.queue, extra={"uuid": uuid, "queue": asked.queue})

    def _message(self, uuid: str, asked: SubmitForm, files: Mapping[str, str]) -> Message:
        sealed = self._sealer.seal(ReturnAddress(uuid, asked.lms_header))
        message = encode_submission(Submission(uuid, asked.queue, asked.body, sealed, files))
        if parent := spans.traceparent(uuid):
            message.headers[TRACEPARENT_HEADER] = parent
        return message

    async def _waiting(self, queue: str, *, within: float) -> int:
        try:
            return await self._counts.of(queue, within=within)
        except BrokerUnavailableError:
            # The submission is safe, which is what 0 promises; the number is only for show.
            return 1


def parse_submit(fields: Mapping[str, str]) -> SubmitForm:
    """Read a submit's fields; raise IllFormedError if one of the contract's is missing or of another kind.

    Raise TooLargeError for a header that is far too long.
    """
    lms_header, body = fields.get("xqueue_header"), fields.get("xqueue_body")
    if lms_header is None:
        raise IllFormedError("xqueue_header is missing")
    if body is None:
        raise IllFormedError("xqueue_body is missing")
    header = json_object(lms_header)
    if header is None:
        raise IllFormedError("xqueue_header is not a JSON object")
    for name in ("lms_callback_url", "lms_key", "queue_name"):
        if name not in header:
            raise IllFormedError(f"{name} in xqueue_header is missing")
    # The original never looked into the key, and made text of the queue's name; LMSs with a queue 6001 rely on it.
    url, queue = header["lms_callback_url"], str(header["queue_name"])
    if not isinstance(url, str):
        raise IllFormedError("lms_callback_url in xqueue_header is no text")
    return SubmitForm(queue=queue, callback_url=url, lms_header=lms_header, body=body)


def json_object(text: str) -> dict[str, object] | None:
    """Parse a JSON object; None if it is anything else. Raise TooLargeError for what is far above any header."""
    if len(text) > MAX_HEADER:
        raise TooLargeError(f"xqueue_header has more than {MAX_HEADER} characters")
    return read_object(text)
