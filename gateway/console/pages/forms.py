"""Forms as the console's own pages send them: small, and with fields that may come several times."""

from urllib.parse import parse_qs

from starlette.requests import Request

from broker_setup.errors import XQueueError
from gateway.http.forms import FormLimits, read_body

# Of a thousand ticks.
FORM_LIMITS = FormLimits(fields=128 * 1024, file=0, files_total=0, files=0)
LOGIN_LIMITS = FormLimits(fields=8 * 1024, file=0, files_total=0, files=0)
MAX_FIELDS = 2_000
# Signs that are undone one by one, in the event loop; ids have none.
MAX_ESCAPES = 4_000
Fields = dict[str, list[str]]


class BadFieldsError(XQueueError):
    """A form that no page of ours makes."""


async def fields_of(request: Request, limits: FormLimits = FORM_LIMITS) -> Fields:
    """Read a form; raise BadFieldsError, TooLargeError."""
    async with read_body(request, limits) as body:
        if body.count(b"%") > MAX_ESCAPES:
            raise BadFieldsError("more signs are escaped than a form of ours has")
        try:
            text = bytes(body).decode()
            return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise BadFieldsError(str(error)) from error


def first(fields: Fields, name: str) -> str:
    """Return the first value of a field, "" where there is none."""
    return next(iter(fields.get(name, ())), "")
