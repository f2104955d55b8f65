"""One publish under way."""

import asyncio
from dataclasses import dataclass

from ..amqp.channel import Channel
from .publishing_channels import Way


@dataclass(slots=True, eq=False)
class Publish:
    """What a Publisher knows of one publish: since when (monotonic) it is under way, and who waits for it.

    `waiter` is its caller's, who may be gone; `channel` is None while that is being opened.
    """

    way: Way
    size: int
    began: float
    waiter: asyncio.Future[None]
    is_copy: bool
    channel: Channel | None = None
    is_doubted: bool = False

    def tell(self, error: Exception | None) -> None:
        """Let its caller go on, if that waits: with an error, or with the broker's confirm."""
        if self.waiter.done():
            return
        if error is None:
            self.waiter.set_result(None)
        else:
            self.waiter.set_exception(error)
