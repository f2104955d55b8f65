"""Which callbacks fail for the size of their form: the same one will fail again, and a notice in its place will not."""

from http import HTTPStatus

from callback_relay.callback import Callback
from callback_relay.outcome import Answered, Outcome

# nginx refuses more than 1 MB unless told otherwise, Django more than 2.5 MB. A site that refuses less than this
# refuses others' results as well: that is for somebody to mend, and no matter of one result.
LARGE_FORM_BYTES = 512 * 1024

# Django answers 400, and what stands in front of it 413.
_TOO_LARGE = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.BAD_REQUEST})


def is_too_large(outcome: Outcome, callback: Callback) -> bool:
    """Say whether the LMS refuses this callback for its size."""
    refused = isinstance(outcome, Answered) and outcome.status in _TOO_LARGE
    return refused and callback.has_more_than(LARGE_FORM_BYTES)
