"""A row of the original's table."""

from datetime import datetime

from msgspec import Struct


class Row(Struct, frozen=True, gc=False):
    """A submission as the original has it; times are in UTC; `reply` may be its beginning."""

    id: int
    queue: str
    header: str
    body: str
    file_keys: str
    file_urls: str
    arrived_at: datetime
    pulled_at: datetime | None
    returned_at: datetime | None
    pull_key: str
    reply: str
    is_acknowledged: bool
    is_retired: bool
