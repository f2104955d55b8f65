"""What was found of a regrade's copy goes to the regrade, once, and to no LMS; without an archive it is parked."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from broker_setup.settings import Settings
from broker_setup.topology import REGRADED_QUEUE, RESULTS_QUEUE, Topology
from broker_setup.wire.regrade_address import RegradeAddress, regrade_text
from tests.support.archive import archived_topology
from tests.support.broker import VHost
from tests.support.lms import FakeLMS
from tests.support.operator import take_all
from tests.support.relay import REPLY, Results, results_at, running_relay, settings_for
from tests.support.waiting import eventually

COPY = RegradeAddress("run", "ab" * 16, "openedx")
ARCHIVED = {"queue_options": {"openedx": {"archive": True}}, "retry_delays": (0.3, 1, 3600), "notice_grace": 3600}


async def test_what_was_found_of_a_copy_goes_to_its_regrade_once_however_often_it_is_sent(
    declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]], lms: FakeLMS
) -> None:
    with declared_vhosts(archived_topology()) as vhost:
        settings = settings_for(vhost.amqp_url, **ARCHIVED)
        async with results_at(settings) as results, running_relay(settings) as relay:
            await results.put(regrade_text(COPY), submission=COPY.copy_uuid)
            await eventually(lambda: results.waiting(REGRADED_QUEUE))
            await eventually(lambda: not relay._delivering._under_way)
            for _ in range(5):
                await results.put(regrade_text(COPY), submission=COPY.copy_uuid)
            await results.put(lms.header())
            await lms.wait_accepted(1)
        [(uuid, body, _)] = take_all(vhost.amqp_url, REGRADED_QUEUE)
        assert (uuid, body) == (COPY.copy_uuid, REPLY)
        assert len(lms.received) == 1


async def test_without_an_archive_a_copys_result_is_parked(settings: Settings, results: Results, lms: FakeLMS) -> None:
    async with running_relay(settings):
        await results.put(regrade_text(COPY), submission=COPY.copy_uuid)
        parked = await results.parked()
    assert "lms_callback_url" in str(parked.headers)
    assert await results.waiting(RESULTS_QUEUE) == 0
    assert lms.received == []
