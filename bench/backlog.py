"""A program of the bench: a backlog, in the course queue and in the ledger, as if it had been submitted.

`python -m bench.backlog COUNT`; the broker is XQUEUE_AMQP_URL. Each can be leased and graded.
"""

import os
import secrets
import sys
from collections.abc import Iterator, Sequence

import uvloop

from bench.filling import publish_all
from bench.ledger import SUBMITTED, record
from bench.payload import QUEUE, SECRET_KEY, lms_body, lms_header
from broker_setup.amqp.messages import Message
from broker_setup.topology import SUBMISSIONS_EXCHANGE
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.seals import Form
from broker_setup.wire.submissions import Submission, encode_submission


def submissions(uuids: Sequence[bytes]) -> Iterator[Message]:
    """Make a submission of each uuid."""
    # AES-GCM, which a gateway opens whatever it seals with: it takes a quarter of the time.
    sealer, header, body = Sealer([SECRET_KEY], Form.AES_GCM), lms_header("http://127.0.0.1:20000"), lms_body()
    for uuid in uuids:
        sealed = sealer.seal(ReturnAddress(uuid.hex(), header))
        yield encode_submission(Submission(uuid.hex(), QUEUE, body, sealed))


async def fill(url: str, count: int) -> None:
    """Put so many submissions into the course queue, and what the ledger says of them into that."""
    uuids = [secrets.token_bytes(16) for _ in range(count)]
    await publish_all(url, submissions(uuids), exchange=SUBMISSIONS_EXCHANGE, routing_key=QUEUE)
    await record(url, uuids, SUBMITTED)


if __name__ == "__main__":
    uvloop.run(fill(os.environ["XQUEUE_AMQP_URL"], int(sys.argv[1])))
