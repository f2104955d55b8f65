"""Which credentials callbacks carry, and what an operator is told of those that none carries; no I/O."""

from broker_setup.outbound.basic_auth import Credentials
from broker_setup.settings import Settings


def callback_credentials(settings: Settings) -> Credentials:
    """Take the credentials of single LMSs, and the general ones for the origins of the list.

    Who can submit names where callbacks go: the general ones are for nobody whom no operator named.
    """
    listed = frozenset(settings.callback_allowed_origins or ())
    return Credentials(settings.callback_credentials, settings.requests_basic_auth, listed)


def credentials_warnings(settings: Settings) -> list[str]:
    """Say that REQUESTS_BASIC_AUTH goes with no callback, and what to do, where it is set and doesn't."""
    auth = settings.requests_basic_auth
    if auth is None or not any((auth[0], auth[1].get_secret_value())) or settings.callback_allowed_origins:
        return []
    return [
        (
            "REQUESTS_BASIC_AUTH goes with no callback, as CALLBACK_ALLOWED_ORIGINS is not set: whoever can submit "
            "names where callbacks go, and could have it sent there. Where your LMS asks for it, name the LMS, such as "
            'CALLBACK_ALLOWED_ORIGINS: ["https://lms.example"]; where it asks for none, remove REQUESTS_BASIC_AUTH. '
            "Until then results for an LMS that asks for it wait"
        )
    ]
