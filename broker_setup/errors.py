"""The errors that this package raises, named after what happened."""

# Of what a stranger sent, in the text of an error, which goes to the log, the ledger and operators' tables.
MAX_QUOTED = 60


def in_brief(value: object) -> str:
    """Quote the beginning of `value`, whatever it is."""
    words = repr(value)
    return words if len(words) <= MAX_QUOTED else f"{words[:MAX_QUOTED]}..."


class XQueueError(Exception):
    """Base of every error that XQueue raises on purpose; its text is fit for an operator's eyes."""


class SettingsError(XQueueError):
    """The settings can't be used; the text names each key, its value and what was expected."""


class BrokerUnavailableError(XQueueError):
    """The broker is away, blocked or too slow to confirm; what was asked for may or may not have happened."""


class BrokerUnreachableError(BrokerUnavailableError):
    """There is no broker at that address, or it does not let us in; nothing has happened."""


class PublishRefusedError(BrokerUnavailableError):
    """The broker closed the channel of a publish: the exchange is missing, or not ours to write to."""


class UnroutableError(XQueueError):
    """The broker gave a message back because no queue takes it; nothing was stored."""


class MessageTooLargeError(XQueueError):
    """A message is larger than every supported broker takes (16 MiB from RabbitMQ 4.0)."""


class MistakeError(XQueueError):
    """Something failed again and again for a reason that nobody foresaw; the text names its type."""


class StorageError(XQueueError):
    """The store of uploaded files is away, full or not ours to use."""


class BadMessageError(XQueueError):
    """A message is not what its queue should hold; the text says why, `received` is what came."""

    def __init__(self, why: str, received: bytes) -> None:
        super().__init__(why)
        self.received = received


class BadReturnAddressError(XQueueError):
    """A sealed return address is forged, truncated or of another submission."""


class UnknownSecretError(XQueueError):
    """A return address was sealed under a SECRET_KEY that this process does not know, or does not know yet."""


class BadCallbackUrlError(XQueueError):
    """No result could be posted to a callback URL; the text says why and quotes nothing of it."""


class TopologyError(XQueueError):
    """The broker's exchanges and queues are not what this version needs; the text names both sides."""


class ManagementError(XQueueError):
    """RabbitMQ's management API refused a call, or what answered is none; the text says which call and why."""


class ArgumentError(XQueueError):
    """A command was given something that it can't use; the text says what and what was expected."""
