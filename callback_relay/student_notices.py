"""Sends the notices by which students of parked results are told: each once, when its time has come."""

from collections.abc import Callable
from time import time

from broker_setup.link.publisher import Publisher
from broker_setup.wire.notices import TOLD_BEFORE, Telling, notice_of, telling_after
from broker_setup.wire.results import Result, encode_result
from callback_relay.verdict import Tell


class StudentNotices:
    """Publishes notices to where they wait."""

    def __init__(self, publisher: Publisher, message: str, grace_of: Callable[[str], float]) -> None:
        """`message` is what a student reads, and `grace_of` says how many seconds after for a course queue."""
        self._publisher = publisher
        self._message = message
        self._grace_of = grace_of

    async def send(self, result: Result, tell: Tell, queue: str) -> Telling | None:
        """Send the notice in the place of `result`, of the course queue `queue`; return when its student is told.

        None: the student is not told. Raise BrokerUnavailableError or UnroutableError where it can't be stored.
        """
        if tell is Tell.NEVER or result.notice:
            return None
        if result.redriven and not result.untold:
            return TOLD_BEFORE
        telling = telling_after(0.0 if tell is Tell.NOW else self._grace_of(queue), time())
        notice = notice_of(
            result.submission, result.sealed_return, self._message, redriven=result.redriven, at=telling.at
        )
        exchange, routing_key = telling.route
        await self._publisher.publish_copy(encode_result(notice), exchange=exchange, routing_key=routing_key)
        return telling
