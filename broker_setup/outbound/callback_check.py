"""Whether a result may go to a callback URL at all: asked at each submit, so what its origin decides is remembered."""

import re

from broker_setup.errors import BadCallbackUrlError
from broker_setup.outbound.callback_urls import LONGEST_URL, CallbackOrigins, callback_url, origin_of

# Whatever stands behind such an origin, no reader takes for another host: no @, no brackets, no backslash before the
# first of /?#, and nothing that has to be quoted.
_USUAL = re.compile(r"(https?://[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?)(?:[/?#][!-~]*)?")
# A site has one LMS, or a few.
MOST_ORIGINS = 1000


class CallbackCheck:
    """Says why no result may go, or could be posted, to a URL."""

    def __init__(self, origins: CallbackOrigins, shared_origin: str | None = None) -> None:
        """At the `shared_origin` some paths are ours and others an LMS's, so each URL there is looked at."""
        self._origins = origins
        self._shared = shared_origin
        # As they stood in URLs to which results may go.
        self._fine: dict[str, None] = {}

    def why_not(self, given: str) -> str | None:
        """Say why no result may go to `given`; None if one may.

        At submit, so that the student sees it at once, and not a parked result days later.
        """
        usual = _USUAL.fullmatch(given) if len(given) <= LONGEST_URL else None
        if usual and usual[1] in self._fine:
            return None
        try:
            url = callback_url(given)
        except BadCallbackUrlError as error:
            return str(error)
        why = self._origins.refusal(url)
        if usual and not why and origin_of(url) != self._shared:
            self._remember(usual[1])
        return why

    def _remember(self, origin: str) -> None:
        self._fine[origin] = None
        if len(self._fine) > MOST_ORIGINS:
            del self._fine[next(iter(self._fine))]
