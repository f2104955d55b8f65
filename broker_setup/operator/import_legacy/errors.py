"""What can go wrong with the original's database."""

from broker_setup.errors import XQueueError


class LegacyDatabaseError(XQueueError):
    """It can't be read."""
