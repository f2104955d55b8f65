"""Pausing a course queue, and letting it go on, as an operator's command does."""

from datetime import UTC, datetime, timedelta

from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.operator.pause.pausing import pause_queue, resume_queue
from broker_setup.settings import Settings
from broker_setup.topology import PAUSED_EXCHANGE
from broker_setup.wire.pauses import Pause, encode_pause


def pause_of(queue: str, seconds: float | None = None) -> Pause:
    now = datetime.now(UTC)
    return Pause(queue, "it is mended", "ned", now, None if seconds is None else now + timedelta(seconds=seconds))


async def pause(amqp_url: str, queue: str, seconds: float | None = None) -> None:
    assert await pause_queue(Settings(amqp_url=amqp_url), pause_of(queue, seconds)) == ""


async def resume(amqp_url: str, queue: str) -> None:
    assert await resume_queue(Settings(amqp_url=amqp_url), queue, by="ned") == (True, "")


async def pause_and_be_killed(amqp_url: str, queue: str) -> None:
    """Pause, and come no further than to the first of what says so: no second one, and no word in the ledger."""
    link = Link(amqp_url, "test pauses")
    async with supervised(link):
        await link.wait_up()
        await Publisher(link).publish(encode_pause(pause_of(queue)), exchange=PAUSED_EXCHANGE, routing_key=queue)
