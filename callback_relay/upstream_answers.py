"""What an upstream's answer to put_result/ comes to; no I/O."""

from collections.abc import Mapping
from http import HTTPStatus

from broker_setup.upstream.dialect import Said, envelope_of, is_done
from callback_relay.outcome import Answered, NoAnswer, NotWanted
from callback_relay.reason import Reason, Slug, status_slug

# Said by the upstream itself, of this result alone: what stands in front has other objects, or none.
_NEVER: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "the upstream has handed the submission out again, with another key",
    HTTPStatus.NOT_FOUND: "the upstream has no such submission any more",
}


def outcome_of(said: Said, *, retry_after: float | None, location: str | None) -> Answered | NoAnswer | NotWanted:
    """Say what an answer means for the result; a redirect leads to `location`."""
    if is_done(said):
        return Answered(HTTPStatus.OK)
    if said.status == HTTPStatus.OK:
        return NoAnswer(Reason(Slug.PAGE, "answered 200 with something that is no answer of a grader queue"))
    if said.status in _NEVER and envelope_of(said):
        return NotWanted(Reason(status_slug(said.status), f"answered {said.status}: {_NEVER[said.status]}"))
    return Answered(said.status, retry_after, location)
