"""The original's table, filled with submissions in every state."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Boolean, DateTime, Integer, MetaData, String, Table, Text, create_engine, insert
from sqlalchemy.schema import Column

_METADATA = MetaData()
# As its migrations make it.
_SUBMISSIONS = Table(
    "queue_submission",
    _METADATA,
    Column("id", Integer, primary_key=True),
    Column("requester_id", String(128), nullable=False),
    Column("lms_callback_url", String(128), nullable=False),
    Column("queue_name", String(128), nullable=False),
    Column("xqueue_header", String(1024), nullable=False),
    Column("xqueue_body", Text),
    Column("s3_keys", String(1024), nullable=False),
    Column("s3_urls", String(1024), nullable=False),
    Column("arrival_time", DateTime, nullable=False),
    Column("pull_time", DateTime),
    Column("push_time", DateTime),
    Column("return_time", DateTime),
    Column("grader_id", String(128), nullable=False),
    Column("pullkey", String(128), nullable=False),
    Column("grader_reply", Text, nullable=False),
    Column("num_failures", Integer, nullable=False),
    Column("lms_ack", Boolean, nullable=False),
    Column("retired", Boolean, nullable=False),
)

NOW = datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class OldRow:
    """A row, with what most rows have."""

    id: int
    xqueue_header: str
    queue_name: str = "openedx"
    xqueue_body: str = "work"
    requester_id: str = "10.0.0.7"
    lms_callback_url: str = "cut off at 128 characters"
    s3_keys: str = "{}"
    s3_urls: str = "{}"
    arrival_time: datetime = NOW - timedelta(hours=1)
    pull_time: datetime | None = None
    push_time: datetime | None = None
    return_time: datetime | None = None
    grader_id: str = ""
    pullkey: str = ""
    grader_reply: str = ""
    num_failures: int = 0
    lms_ack: bool = False
    retired: bool = False


def header(url: str, key: str, queue: str = "openedx") -> str:
    return json.dumps({"lms_callback_url": url, "lms_key": key, "queue_name": queue})


def make_table(url: str, rows: Iterable[OldRow]) -> None:
    """Make the table in a database that is empty, and fill it."""
    engine = create_engine(url)
    _METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(_SUBMISSIONS), [asdict(row) for row in rows])
    engine.dispose()
