"""Makes pamqp take what RabbitMQ takes: every name of a queue, and messages with ill-made properties.

pamqp refuses names that RabbitMQ takes, such as that of a course queue AT&T-x. It raises for a short string that is not
UTF-8, for a timestamp beyond the year 9999 (a grader that counts in microseconds) and for a header table that it can't
read (header_tables.py says which those are here). aiormq then closes the connection, RabbitMQ delivers the message
again, and the results behind it wait for ever; aio-pika does as much for a delivery mode that is neither 1 nor 2, or an
expiration that is no number. So an ill-made property gets a stand-in, and the message can be parked.
"""

import re
import struct
from datetime import UTC, datetime

from aio_pika import DeliveryMode
from pamqp import commands, common, constants, decode

from broker_setup.link.header_tables import read_table

_ANY = re.compile(r".*", re.DOTALL)
_LENGTH_BYTES = 4
_TIMESTAMP_BYTES = 8
_UNREADABLE_TIME = datetime.fromtimestamp(0, UTC)

_DELIVERY_MODES = frozenset(DeliveryMode)

_readable_timestamp = decode.timestamp
_properties_as_they_are = commands.Basic.Properties.unmarshal


def tolerate_ill_made_properties() -> None:
    """Make pamqp give a readable stand-in for what it can't read, in this process from now on."""
    decode.METHODS["shortstr"] = _short_string
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = _timestamp
    decode.METHODS["table"] = _table
    commands.Basic.Properties.unmarshal = _properties  # type: ignore[assignment,method-assign]


def take_any_queue_name() -> None:
    """Make pamqp leave it to the broker which names will do, in this process from now on."""
    constants.DOMAIN_REGEX["queue-name"] = _ANY


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    text = value[1:end]
    try:
        return end, text.decode()
    except UnicodeDecodeError:
        # ASCII, so that it is not longer than it was and fits a short string again.
        return end, text.decode("ascii", errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return _readable_timestamp(value)
    except (ValueError, OverflowError, OSError):
        return _TIMESTAMP_BYTES, _UNREADABLE_TIME


def _table(value: bytes) -> tuple[int, common.FieldTable]:
    try:
        return read_table(value)
    except ValueError:
        # One entry can't be skipped without knowing its length, so all of the table counts as empty.
        [length] = struct.unpack_from(">I", value)
        return _LENGTH_BYTES + length, {}


def _properties(properties: commands.Basic.Properties, flags: int, data: bytes) -> None:
    _properties_as_they_are(properties, flags, data)
    if properties.delivery_mode is not None and properties.delivery_mode not in _DELIVERY_MODES:
        properties.delivery_mode = DeliveryMode.NOT_PERSISTENT
    # Of no use to whoever has the message already: it says when the broker would have let it go.
    if properties.expiration is not None and not _is_number(properties.expiration):
        properties.expiration = None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
