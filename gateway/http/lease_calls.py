"""extend_lease/ and release_submission/: what a grader may do with a lease besides handing in a result."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from gateway.callers.door import permission_of
from gateway.http.envelope import success
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, read_form
from gateway.http.grader_calls import parse_header
from gateway.http.polls import parse_seconds
from gateway.http.refusals import IllFormedError, OverLimitError, RefusedError, WrongMethodError
from gateway.leasing.lease_changes import LeaseChanges

# A header and a number or two.
LIMITS = FormLimits(fields=64 * 1024, file=0, files_total=0, files=0)

_TRUTH = {"true": True, "false": False}


class LeaseCalls:
    """Extends leases and ends them early."""

    def __init__(self, changes: LeaseChanges) -> None:
        self._changes = changes

    async def extend_lease(self, request: Request) -> Response:
        """Let a lease run longer, and say until when."""
        fields = await _fields(request, "extend_lease")
        submission_id, key = header_of(fields)
        seconds = seconds_of(fields, "seconds")
        expires_at = await self._changes.extend(submission_id, key, seconds, permission_of(request))
        return success({"expires_at": expires_at})

    async def release_submission(self, request: Request) -> Response:
        """End a lease, so that another grader gets the submission."""
        fields = await _fields(request, "release_submission")
        submission_id, key = header_of(fields)
        delay, failed = seconds_of(fields, "delay", "0"), truth_of(fields, "failed", "false")
        await self._changes.release(submission_id, key, permission_of(request), delay=delay, failed=failed)
        return success("")


async def _fields(request: Request, call: str) -> Mapping[str, str]:
    if request.method != "POST":
        raise WrongMethodError(f"'{call}' must use HTTP POST")
    try:
        async with read_form(request, LIMITS) as form:
            return form.fields
    except BadFormError as error:
        raise RefusedError(f"The form can't be read: {error}") from error
    except TooLargeError as error:
        raise OverLimitError(f"The form is too large: {error}") from error


def header_of(fields: Mapping[str, str]) -> tuple[int, str]:
    """Return the submission id and the key of the lease; raise RefusedError."""
    try:
        return parse_header(fields.get("xqueue_header"))
    except IllFormedError as error:
        raise RefusedError("'xqueue_header' must be the header of a submission, as it came") from error


def seconds_of(fields: Mapping[str, str], name: str, otherwise: str = "") -> float:
    """Return a field that is a number of seconds; raise RefusedError."""
    seconds = parse_seconds(fields.get(name, otherwise))
    if seconds is None:
        raise RefusedError(f"'{name}' must be a number of seconds")
    return seconds


def truth_of(fields: Mapping[str, str], name: str, otherwise: str) -> bool:
    """Return a field that is true or false; raise RefusedError."""
    truth = _TRUTH.get(fields.get(name, otherwise).lower())
    if truth is None:
        raise RefusedError(f"'{name}' must be true or false")
    return truth
