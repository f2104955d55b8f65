"""An AMQP grader in 30 lines, with pika alone: python pika_grader.py QUEUE. docs/reference/amqp.md explains each line.

It ends when its connection does: let a service manager start it again.
"""

import json
import os
import signal
import sys

import pika


def grade(body: str) -> dict[str, object]:
    """Take work that says hello."""
    right = "hello" in json.loads(body)["student_response"].lower()
    return {"correct": right, "score": int(right), "msg": "<p>Hello!</p>" if right else "<p>Say hello.</p>"}


signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once; what it held goes back to the queue
if len(sys.argv) != 2 or "XQUEUE_AMQP_URL" not in os.environ:  # noqa: PLR2004 - this, and the queue's name
    sys.exit("python pika_grader.py QUEUE, with the broker's URL in XQUEUE_AMQP_URL; of make up: . .local/environment")
broker = pika.URLParameters(os.environ["XQUEUE_AMQP_URL"])
channel = pika.BlockingConnection(broker).channel()
channel.confirm_delivery()
channel.basic_qos(prefetch_count=1)
print(f"grading {sys.argv[1]}; Ctrl-C stops it", flush=True)
for delivery, asked, content in channel.consume(f"xqueue.submissions.{sys.argv[1]}"):
    try:
        reply = json.dumps(grade(json.loads(content)["xqueue_body"]))
        properties = pika.BasicProperties(
            correlation_id=asked.correlation_id,
            headers={"xqueue-return": asked.headers["xqueue-return"]},
            user_id=broker.credentials.username,
            delivery_mode=2,
        )
    except Exception as error:  # noqa: BLE001 - whatever it was: this submission was not graded
        print(f"submission {asked.correlation_id}: {error!r}", file=sys.stderr)
        channel.basic_reject(delivery.delivery_tag, requeue=False)
        continue
    channel.basic_publish("xqueue.results", asked.reply_to, reply, properties, mandatory=True)
    channel.basic_ack(delivery.delivery_tag)
    print(f"submission {asked.correlation_id}: {reply}", flush=True)
