"""What operators type to pick some of many: an LMS, a submission, a course queue, parts of a text."""

from fnmatch import fnmatchcase

import typer

from broker_setup.errors import ArgumentError, BadCallbackUrlError
from broker_setup.outbound.callback_urls import callback_url, origin_of
from broker_setup.settings import Settings
from broker_setup.wire.properties import is_uuid

# Around what is copied from a log.
SIGNS = ",:;. "


def alike(text: str, pattern: str) -> bool:
    """Say whether a text is as a pattern has it, in any case: `*` stands for anything, `?` for any one sign."""
    # Brackets mean themselves: reasons and IPv6 origins have some.
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def origin_meant(text: str | None) -> str | None:
    """Return an LMS as lists have it: without `:443`, or a path; raise ArgumentError for what no list could have."""
    if text is None or "*" in text or "?" in text:
        return text
    try:
        return origin_of(callback_url(text))
    except BadCallbackUrlError:
        raise ArgumentError(
            f"--origin {text!r} is no LMS: give https://lms.example, http://lms:8000 or *lms*"
        ) from None


def uuid_meant(text: str | None) -> str | None:
    """Return the 32 hex digits of a uuid as it is typed, or copied from a log; raise ArgumentError for none."""
    if text is None:
        return None
    uuid = text.strip(SIGNS).replace("-", "").lower()
    if not is_uuid(uuid):
        raise ArgumentError(f"{text!r} is no uuid (32 hex digits)")
    return uuid


def warn_of_unknown_queue(queue: str | None, settings: Settings) -> None:
    """Say on stderr that a queue is none of XQUEUES: a mistake, or one of former days, of which there may be work."""
    if queue is not None and queue not in settings.xqueues:
        there_are = ", ".join(sorted(settings.xqueues)) or "none"
        typer.echo(f"XQUEUES has no queue {queue!r} (there are: {there_are}); looking for it all the same", err=True)
