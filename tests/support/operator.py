"""`xqueue-broker` as an operator runs it, and submissions for it to find."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika

from broker_setup.ledger.events import Submitted, hash_sender, hash_url
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import SUBMISSIONS_EXCHANGE, submissions_queue
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from tests.support.service_process import ServiceProcess
from tests.support.warm_start import COMMANDS, WarmProcess, warm_run

SECRET = "a secret of the tests, long enough for a key"
QUEUES = '{"openedx": null, "q.2": null}'
# Taking out what is ready: it has come after so long, and nothing more comes after a silence.
TAKE_SECONDS = 30.0
SILENCE_SECONDS = 0.3


def environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")}
    return inherited | {f"XQUEUE_{key}": value for key, value in settings.items()}


def run(*arguments: str, typed: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    return warm_run(arguments, environment(**settings), typed)


async def begun(*arguments: str, **settings: str) -> ServiceProcess:
    """Begin a command, to be killed or waited for; what it prints goes nowhere."""
    nowhere = Path(os.devnull)
    process = await asyncio.to_thread(WarmProcess, COMMANDS, arguments, environment(**settings), [nowhere] * 3)
    return ServiceProcess(process, nowhere)


def one_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text


@dataclass(frozen=True)
class Operator:
    """Runs commands against one virtual host."""

    amqp_url: str

    def settings(self) -> dict[str, str]:
        return {
            "AMQP_URL": self.amqp_url,
            "SECRET_KEY": SECRET,
            "XQUEUES": QUEUES,
            "RETRY_DELAYS": "[0.3, 1, 3600]",
            "NOTICE_GRACE": "3600",
            "LOG_LEVEL": "ERROR",
        }

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return run(*arguments, **(self.settings() | settings))

    def json(self, *arguments: str, **settings: str) -> Any:
        """Run with --json; it must succeed."""
        ran = self.run(*arguments, "--json", **settings)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def refused(self, *arguments: str, **settings: str) -> str:
        """Run what must fail with one line; return it."""
        ran = self.run(*arguments, **settings)
        assert ran.returncode == 1, ran
        return one_line(ran.stderr)


def header(url: str, key: str = "lms key") -> str:
    return json.dumps({"lms_callback_url": url, "lms_key": key, "queue_name": "openedx"})


def submission(at: datetime, url: str, *, queue: str = "openedx") -> Submission:
    uuid = uuid4().hex
    sealed = Sealer([SECRET]).seal(ReturnAddress(uuid, header(url)))
    return Submission(uuid=uuid, queue=queue, body="work", sealed_return=sealed, submitted_at=at)


def noted(each: Submission, url: str) -> Submitted:
    address = hash_url(url)
    sender = hash_sender("lms", address)
    return Submitted(
        each.submitted_at.timestamp(), each.uuid_bytes, each.queue, supersede_after=2.0, url=address, sender=sender
    )


async def submit(amqp_url: str, submissions: Sequence[Submission]) -> None:
    """Put submissions into their queues, in this order."""
    link = Link(amqp_url, "test submits")
    async with supervised(link):
        await link.wait_up()
        publisher = Publisher(link)
        for start in range(0, len(submissions), 200):
            await asyncio.gather(
                *(
                    publisher.publish(encode_submission(each), exchange=SUBMISSIONS_EXCHANGE, routing_key=each.queue)
                    for each in submissions[start : start + 200]
                )
            )


def take_all(amqp_url: str, queue: str) -> list[tuple[str, bytes, dict[str, Any]]]:
    """Take everything out of a RabbitMQ queue: correlation_id, body and headers of each message."""
    taken: list[tuple[str, bytes, dict[str, Any]]] = []
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        ready = channel.queue_declare(queue, passive=True).method.message_count
        deadline = time.monotonic() + TAKE_SECONDS
        for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=SILENCE_SECONDS):
            if method is not None:
                taken.append((properties.correlation_id, body, dict(properties.headers or {})))
            elif len(taken) >= ready:
                break
            else:
                assert time.monotonic() < deadline, f"{len(taken)} of {ready} came out of {queue}"
    return taken


def waiting_in(amqp_url: str, queue: str = "openedx") -> list[str]:
    """The uuids of what is in a course queue, in order; takes them out."""
    return [uuid for uuid, *_ in take_all(amqp_url, submissions_queue(queue))]
