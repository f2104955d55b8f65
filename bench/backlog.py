"""A program of the bench: a backlog, in the course queue and in the ledger, as if it had been submitted.

`python -m bench.backlog COUNT`; the broker is XQUEUE_AMQP_URL. Each can be leased and graded. Nothing is confirmed, and
so it is much quicker: at the end the queue is asked whether it has them all.
"""

import os
import secrets
import sys
import time

import pika
import uvloop
from pika.adapters.blocking_connection import BlockingChannel

from bench.ledger import SUBMITTED, record
from bench.payload import QUEUE, SECRET_KEY, lms_body, lms_header
from broker_setup.amqp.messages import Message
from broker_setup.topology import SUBMISSIONS_EXCHANGE, submissions_queue
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.seals import Form
from broker_setup.wire.submissions import Submission, encode_submission
from deploy.local.ready import wait_until

STORED_SECONDS = 300.0
LOOK_EVERY = 1000  # messages: the broker may have something to say


def publish(url: str, uuids: list[bytes]) -> None:
    """Put a submission of each uuid into the course queue."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        # AES-GCM, which a gateway opens whatever it seals with: it takes a quarter of the time.
        sealer, header, body = Sealer([SECRET_KEY], Form.AES_GCM), lms_header("http://127.0.0.1:20000"), lms_body()
        for number, uuid in enumerate(uuids):
            sealed = sealer.seal(ReturnAddress(uuid.hex(), header))
            _publish_one(channel, encode_submission(Submission(uuid.hex(), QUEUE, body, sealed)))
            if number % LOOK_EVERY == 0:
                connection.process_data_events(0)
        name = submissions_queue(QUEUE)
        if not wait_until(lambda: _ready(channel, name) >= len(uuids), STORED_SECONDS):
            sys.exit(f"of {len(uuids)} submissions {name} holds {_ready(channel, name)}")


def _publish_one(channel: BlockingChannel, message: Message) -> None:
    properties = pika.BasicProperties(
        content_type=message.content_type,
        headers=dict(message.headers),
        delivery_mode=2,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        message_id=message.message_id,
        timestamp=int(time.time()),
        type=message.type,
    )
    channel.basic_publish(SUBMISSIONS_EXCHANGE, QUEUE, message.body, properties)


def _ready(channel: BlockingChannel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def main() -> None:
    """Do what the command line says; prints nothing."""
    url, uuids = os.environ["XQUEUE_AMQP_URL"], [secrets.token_bytes(16) for _ in range(int(sys.argv[1]))]
    publish(url, uuids)
    uvloop.run(record(url, uuids, SUBMITTED))


if __name__ == "__main__":
    main()
