"""What a paused queue is to gateways, to their graders and to the LMS."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from broker_setup.topology import paused_queue, submissions_queue
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide, broker_side
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, running_gateway, wait_until
from tests.support.pausing import pause, pause_and_be_killed, resume

# What was seen is good for 5 s, a busy machine may take its time.
WITHIN_SECONDS = 60.0


@pytest.fixture
def gateways(vhost: VHost, tmp_path: Path) -> Iterator[list[Gateway]]:
    # The second has no topology to declare any more, and its settings are the first one's.
    with running_gateway(vhost.amqp_url, tmp_path) as one, running_gateway(vhost.amqp_url, tmp_path) as another:
        yield [one, another]
        for gateway in (one, another):
            assert "Traceback" not in gateway.log, gateway.log


def has_all(side: BrokerSide, ready: int) -> bool:
    return side.ready(submissions_queue("openedx")) == ready


def test_a_paused_queue_is_empty_to_all_graders_of_all_gateways_and_goes_on_where_it_stood(
    vhost: VHost, gateways: list[Gateway]
) -> None:
    url = vhost.amqp_url
    one, another = gateways
    with Client(one.url) as at_one, Client(another.url) as at_another, broker_side(url) as side:
        for _ in range(3):
            assert at_one.submit(lms_header(), "work")[0] == 0
        leased = at_another.get_one()
        asyncio.run(pause(url, "openedx"))
        # Heard by the ledger: what was fetched for polls goes back, what is leased stays out.
        wait_until(lambda: has_all(side, 2), WITHIN_SECONDS, "something is held for polls")
        assert at_one.get() is None
        assert at_another.get(wait=1) is None
        assert at_one.submit(lms_header(), "more work")[0] == 0, "submits go on"
        assert at_one.queuelen() == 3
        assert at_one.put(leased["xqueue_header"], "reply") == (0, ""), "so do results of what is leased"
        assert at_one.get("other", wait=1) is None, "another queue is just empty"

        # Who starts hears of it before it hands anything out.
        one.kill()
        one.start()
        assert at_one.get() is None
        assert at_one.get(wait=1) is None

        # A poll that waits has its work as soon as the queue goes on.
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(client.get, wait=PATIENCE_SECONDS) for client in (at_one, at_another)]
            asyncio.run(resume(url, "openedx"))
            handed_out = [each.result() for each in waiting]
        assert all(handed_out)
        assert at_one.get_one()


def test_a_pause_that_nobody_told_of_is_seen_and_one_that_has_an_end_ends(vhost: VHost, tmp_path: Path) -> None:
    with running_gateway(vhost.amqp_url, tmp_path) as gateway, Client(gateway.url) as client:
        assert client.get() is None
        asyncio.run(pause_and_be_killed(vhost.amqp_url, "openedx"))
        client.submit(lms_header(), "work")
        wait_until(lambda: "paused by an operator" in (client.get() or gateway.log), WITHIN_SECONDS, "it is never seen")
        asyncio.run(resume(vhost.amqp_url, "openedx"))
        client.submit(lms_header(), "work")
        assert client.get_one()
        assert "queue openedx: resumed by ned" in gateway.log

        # As in a topology that 0.1.0 declared.
        with broker_side(vhost.amqp_url) as side:
            side.delete_any(paused_queue("other"))
        client.submit(lms_header(queue="other"), "work")
        assert client.get_one("other")

        began = monotonic()
        asyncio.run(pause(vhost.amqp_url, "openedx", 2.0))
        client.submit(lms_header(), "work")
        assert client.get_one()
        assert monotonic() - began > 2.0
