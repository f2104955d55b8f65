"""How calls to a broker fail."""

ACCESS_REFUSED = 403
NOT_FOUND = 404
LOCKED = 405
PRECONDITION_FAILED = 406


class AmqpError(Exception):
    """What the broker refused, or what became of its connection; `code` is its reply code, 0 where it gave none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class ConnectionLostError(AmqpError):
    """The connection ended, or was never opened."""


class ChannelClosedError(AmqpError):
    """The channel has ended: the broker closed it for what was asked on it, or we did."""


class ReturnedError(AmqpError):
    """No queue takes a message that was published."""


class NackedError(AmqpError):
    """The broker did not store a message that was published."""
