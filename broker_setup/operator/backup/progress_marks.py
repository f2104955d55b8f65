"""How far an import has come: stands at the broker that it fills, so that one that was killed is gone on with.

Two queues: one of marks, which keeps only the last, and one with a copy of each message of the portion under way.
"""

from dataclasses import dataclass

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.topology import MIGRATING

MARKS = f"{MIGRATING}.import"
COPIES = f"{MIGRATING}.import.copies"
_EXPORT, _FILE, _LINE = "xqueue-import", "xqueue-import-file", "xqueue-import-line"


@dataclass(frozen=True, order=True)
class Mark:
    """All lines before `line` of the file number `file`, and all files before it, are stored; both from 0."""

    export: str
    file: int
    line: int


def encode_mark(mark: Mark) -> Message:
    """Make the message."""
    return Message(b"", headers={_EXPORT: mark.export, _FILE: mark.file, _LINE: mark.line}, type="xqueue.import.mark")


def decode_mark(message: Arrival) -> Mark:
    """Read the message."""
    headers = message.headers
    return Mark(str(headers[_EXPORT]), int(headers[_FILE]), int(headers[_LINE]))
