"""What a grader that is called gets to see; no I/O."""

import json
from collections.abc import Mapping

from broker_setup.amqp.messages import Arrival
from broker_setup.wire.calls import CallOrigin, call_origin_of


def request_body(body: str, files: Mapping[str, str]) -> bytes:
    """Make the body of the request to a grader: xqueue_files is JSON in a string, as it always was."""
    return json.dumps({"xqueue_body": body, "xqueue_files": json.dumps(dict(files))}).encode()


def origin_of(message: Arrival) -> CallOrigin | None:
    """Return who waits for the answer to a call by AMQP; None for a submission."""
    return call_origin_of(message.headers, message.reply_to, message.correlation_id)
