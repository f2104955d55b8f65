"""Every parser that a stranger's, a producer's or a grader's bytes get to, behind one call that takes bytes.

Each lets through its declared refusal, and nothing else: what comes out of a call is a mistake of ours.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import SecretStr
from starlette.requests import Request

from broker_setup.amqp.properties import read_properties
from broker_setup.amqp.tables import read_table
from broker_setup.errors import BadMessageError, BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.frames import decode_frame
from broker_setup.wire.replies import check_reply
from broker_setup.wire.results import Result, decode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import decode_submission, decode_work
from callback_relay.callback import BadCallbackError, callback_for
from callback_relay.retry_after import seconds_until
from gateway.callers.accounts import Accounts
from gateway.callers.door import _basic_credentials
from gateway.callers.sessions import Sessions
from gateway.callers.tokens import BadTokenError, Tokens
from gateway.http.forms import BadFormError, FormLimits, ShortError, TooLargeError, read_form
from gateway.http.json_form import is_json_object, parse_json_form
from gateway.http.urlencoded import parse_urlencoded
from tests.support.deliveries import delivery
from tests.support.grading import delivered as graders_delivery
from xqueue_grader.common.errors import BadMessageError as BadForGradersError
from xqueue_grader.transports.over_amqp.contract import read_request

UUID = "0123456789abcdef" * 2
SECRET = "a secret of the tests, long enough for a key"
LMS = "https://lms.example/courses/x/xqueue/7/block/"
BOUNDARY = "limit"
_LIMITS = FormLimits(fields=2**24, file=2**24, files_total=2**24, files=32)
_FORM_REFUSALS = (BadFormError, TooLargeError, ShortError)


def _score(body: bytes) -> None:
    check_reply(f"{LMS}score_update", body)


def _ungraded(body: bytes) -> None:
    check_reply(f"{LMS}ungraded_response", body)


def _urlencoded(body: bytes) -> None:
    with contextlib.suppress(TooLargeError):
        parse_urlencoded(body)


def _json_form(body: bytes) -> None:
    with contextlib.suppress(*_FORM_REFUSALS):
        if is_json_object(body):
            parse_json_form(body)


def _multipart(body: bytes) -> None:
    content_type = f"multipart/form-data; boundary={BOUNDARY}".encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> None:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type)]}
        with contextlib.suppress(*_FORM_REFUSALS):
            async with read_form(Request(scope, receive), _LIMITS):
                pass

    asyncio.run(read())


def _cookie(header: bytes) -> None:
    request = Request({"type": "http", "headers": [(b"cookie", header)]})
    assert Sessions(_ACCOUNTS, None).of(request) is None


def _authorization(header: bytes) -> None:
    text = header.decode("latin-1")
    _basic_credentials(f"Basic {text}")
    with contextlib.suppress(BadTokenError):
        Tokens(list, issuers=["https://lms.example"], audience=None).caller_of(text)


def _frame(body: bytes) -> None:
    with contextlib.suppress(BadMessageError):
        decode_frame(body)


def _properties(content: bytes) -> None:
    read_properties(delivery(), content)


def _table(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        end, _ = read_table(struct.pack(">I", len(content)) + content)
        assert end == len(content) + 4


def _message(body: bytes) -> None:
    with contextlib.suppress(BadMessageError):
        decode_work(body)
    text = body.decode("latin-1")
    message = delivery(body=body, correlation_id=UUID, headers={"xqueue-return": text, "xqueue-attempt": text})
    with contextlib.suppress(BadMessageError):
        decode_submission(message, "openedx")
    with contextlib.suppress(BadMessageError):
        decode_result(message)
    with contextlib.suppress(BadForGradersError):
        read_request(graders_delivery(body, correlation_id=UUID, headers=dict(message.headers)), "openedx")


def _return_address(sealed: bytes) -> None:
    with contextlib.suppress(BadReturnAddressError, UnknownSecretError):
        _SEALER.open(sealed.decode("latin-1"), UUID)


def _lms_header(header: bytes) -> None:
    text = header.decode(errors="surrogateescape")
    address = ReturnAddress(UUID, text)
    assert isinstance(address.queue, str)
    with contextlib.suppress(BadCallbackError):
        callback_for(Result(UUID, b"", ""), address)


def _retry_after(header: bytes) -> None:
    seconds_until(header.decode("latin-1"), datetime(2026, 1, 1, tzinfo=UTC).timestamp())


_ACCOUNTS = Accounts({"lms": SecretStr("word")}, [SECRET])
_SEALER = Sealer([SECRET])

PARSERS: dict[str, Callable[[bytes], None]] = {
    "score": _score,
    "ungraded": _ungraded,
    "urlencoded": _urlencoded,
    "json_form": _json_form,
    "multipart": _multipart,
    "cookie": _cookie,
    "authorization": _authorization,
    "frame": _frame,
    "table": _table,
    "properties": _properties,
    "message": _message,
    "return_address": _return_address,
    "lms_header": _lms_header,
    "retry_after": _retry_after,
}
