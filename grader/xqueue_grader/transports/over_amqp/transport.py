"""Takes submissions from the course queues of a RabbitMQ, over two connections: one to consume, one to publish."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.common.link.connection import Link, supervised
from xqueue_grader.common.link.pauses import Pauses
from xqueue_grader.common.link.publisher import Publisher
from xqueue_grader.common.link.steady_consumer import SteadyTasks
from xqueue_grader.transports.over_amqp.answering import Answering
from xqueue_grader.transports.over_amqp.contract import paused_queue, submissions_queue
from xqueue_grader.transports.over_amqp.delivery import Delivery
from xqueue_grader.transports.transport import Grading


class AmqpTransport:
    """Consumes each queue steadily, unless it is paused, and publishes replies with confirms."""

    def __init__(self, url: str, queues: Sequence[str], prefetch: int) -> None:
        self._queues = queues
        self._prefetch = prefetch
        name = f"grader of {', '.join(queues)}"
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(url, f"{name}: consume")
        self._sink = Link(url, f"{name}: publish")
        self._pauses = Pauses(self._source, paused_queue)
        self._answering = Answering(Publisher(self._sink))

    def opened(self, broken: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Keep both connections up."""
        return supervised(self._source, self._sink, stop=broken)

    async def take(self, grading: Grading) -> None:
        """Consume all queues."""
        consuming = [asyncio.create_task(self._consumer(queue, grading).run()) for queue in self._queues]
        try:
            await asyncio.gather(*consuming)
        finally:
            for task in consuming:
                task.cancel()
            await asyncio.wait(consuming)

    def _consumer(self, queue: str, grading: Grading) -> SteadyTasks:
        async def serve(message: Arrival) -> None:
            await grading.serve(Delivery(message, queue, self._answering))

        return SteadyTasks(
            self._source,
            submissions_queue(queue),
            prefetch=self._prefetch,
            serve=serve,
            is_paused=partial(self._pauses.is_paused, queue),
            stopped=partial(grading.give_back, queue),
        )
