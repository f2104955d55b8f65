"""An operator of queues that are archived, and work for them: submits and results as the services publish them."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, Topology
from broker_setup.wire.properties import new_uuid
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission
from tests.support.operator import SECRET, Operator, submit

XQUEUES = {"openedx": None, "trial": None, "other": None}
OPTIONS = {"openedx": {"archive": True}}


def archived_topology() -> Topology:
    return Settings(xqueues=XQUEUES, queue_options=OPTIONS, retry_delays=(0.3, 1, 3600), notice_grace=3600).topology


@dataclass(frozen=True)
class ArchiveOperator(Operator):
    """Runs commands where `openedx` is archived, in a folder."""

    folder: Path

    def settings(self) -> dict[str, str]:
        return super().settings() | {
            "XQUEUES": json.dumps(XQUEUES),
            "QUEUE_OPTIONS": json.dumps(OPTIONS),
            "ARCHIVE_STORE": self.folder.as_uri(),
        }

    def written(self) -> None:
        """Have all be archived that waits for it."""
        ran = self.run("archive", "write", "--once")
        assert ran.returncode == 0, ran.stderr


def body_of(number: int, student: str = "") -> str:
    """Make a code problem's body, as Open edX does."""
    info = {"anonymous_student_id": student or f"student {number}", "submission_time": "20261129040000"}
    return json.dumps({"student_response": f"work {number}", "student_info": json.dumps(info), "grader_payload": "hw1"})


def sent_work(
    number: int, *, queue: str = "openedx", student: str = "", at: datetime | None = None, secret: str = SECRET
) -> Submission:
    """Make a submission, sealed when it was submitted."""
    uuid, at = new_uuid(), at or datetime.now(UTC)
    header = json.dumps({"lms_callback_url": f"http://lms/{number}/score_update", "lms_key": "k", "queue_name": queue})
    sealed = Sealer([secret]).seal(ReturnAddress(uuid, header, at.timestamp()))
    return Submission(uuid, queue, body_of(number, student), sealed, submitted_at=at)


def reply_of(score: object, msg: str = "<p>ok</p>") -> bytes:
    return json.dumps({"correct": bool(score), "score": score, "msg": msg}).encode()


async def _publish(amqp_url: str, results: Sequence[Result]) -> None:
    link = Link(amqp_url, "test results")
    async with supervised(link):
        await link.wait_up()
        publisher = Publisher(link)
        await asyncio.gather(
            *(
                publisher.publish(encode_result(each), exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)
                for each in results
            )
        )


def publish(amqp_url: str, submissions: Sequence[Submission], results: Sequence[Result] = ()) -> None:
    """Have these be submitted, and these be answered."""
    asyncio.run(submit(amqp_url, submissions))
    asyncio.run(_publish(amqp_url, results))
