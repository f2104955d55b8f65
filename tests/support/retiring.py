"""Submissions that waited too long, and new ones, for the tests of `xqueue-broker retire`."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from broker_setup.ledger.events import Leased, Retired
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission
from tests.support.ledger import events_in, write_frames
from tests.support.operator import (
    SECRET,
    Operator,
    noted,
    submission,
    submit,
)

NOW = datetime.now(UTC)
OLD = NOW - timedelta(hours=5)


def old_ones(number: int) -> list[Submission]:
    return [submission(OLD + timedelta(minutes=each), f"https://lms/old/{each}") for each in range(number)]


def new_ones(number: int) -> list[Submission]:
    return [submission(NOW, f"https://lms/new/{each}") for each in range(number)]


def fill(operator: Operator, *submissions: Submission) -> None:
    asyncio.run(submit(operator.amqp_url, submissions))


def retired_in(operator: Operator) -> list[Retired]:
    return [event for event in events_in(operator.amqp_url) if isinstance(event, Retired)]


def leased_to_somebody(each: Submission, until: float) -> Leased:
    at = each.submitted_at.timestamp() + 1
    return Leased(at, each.uuid_bytes, each.queue, b"u", b"k", until, each.sealed_return, 1)


def url_of(each: Submission) -> str:
    address = Sealer([SECRET]).open(each.sealed_return, each.uuid)
    return str(json.loads(address.lms_header)["lms_callback_url"])


def fill_and_note(operator: Operator, *submissions: Submission) -> None:
    """As gateways do it: into the queue, and into the ledger."""
    fill(operator, *submissions)
    write_frames(operator.amqp_url, [[noted(each, url_of(each)) for each in submissions]])
