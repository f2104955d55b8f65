"""A regrade goes on where one before it ended, whatever comes of that one's copies meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from broker_setup.archive.archive import Archive
from broker_setup.archive.archive_store import open_archive_store
from broker_setup.archive.entries import ArchivedSubmission, Kept
from broker_setup.archive.places import Part, Place, place_of
from broker_setup.archive.scores import Score
from broker_setup.archive.seals import ArchiveSeals
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.operator.from_archive import Meant
from broker_setup.operator.regrade.plan import Archived, Found, RegradePlan
from broker_setup.operator.regrade.regrading import NoAnswerError, Regrading
from broker_setup.settings import Settings
from broker_setup.topology import REGRADED_EXCHANGE, REGRADED_QUEUE, Topology
from broker_setup.wire.regrade_address import RegradeAddress, regrade_text
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from tests.support.archive import archived_topology, reply_of
from tests.support.broker import VHost
from tests.support.operator import SECRET, waiting_in
from tests.support.waiting import eventually

UUID = "ab" * 16
COPY = RegradeAddress("run", UUID, "openedx")
PLAN = RegradePlan("run", Meant("openedx"), "openedx")
PLACES = [place_of("openedx", 0.0, UUID, Part.SUBMISSION)]
TODO = [Archived(UUID, PLACES, 0.0, "http://lms/score_update", "ann", Score(1.0))]


class ReadLate(Archive):
    """An archive that has read a submission when something was found of it."""

    regrading: Regrading

    async def read(self, places: Sequence[Place]) -> Kept | None:
        await eventually(lambda: UUID in self.regrading.found)
        return Kept(ArchivedSubmission(UUID, "openedx", 0.0, "http://lms/score_update", "{}"))


@pytest.fixture
def settings(
    declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]], tmp_path: Path
) -> Iterator[Settings]:
    with declared_vhosts(archived_topology()) as vhost:
        yield Settings(amqp_url=vhost.amqp_url, secret_key=SECRET, archive_store=(tmp_path / "archive").as_uri())


async def test_what_comes_of_an_earlier_runs_copy_while_it_is_read_again_ends_it(settings: Settings) -> None:
    """Its gateway takes another copy for debris, and nothing would ever come of that."""
    sealed = Sealer([SECRET]).seal(ReturnAddress(COPY.copy_uuid, regrade_text(COPY)))
    link = Link(settings.amqp_url.get_secret_value(), "test")
    async with supervised(link):
        await link.wait_up()
        result = encode_result(Result(COPY.copy_uuid, reply_of(0.5), sealed))
        await Publisher(link).publish(result, exchange=REGRADED_EXCHANGE, routing_key=REGRADED_QUEUE)

    archive = ReadLate(open_archive_store(settings), ArchiveSeals(settings.secrets))
    archive.regrading = Regrading(settings, archive, PLAN, at_once=1, patience=90, found_one=lambda: None)
    await archive.regrading.run(TODO)
    found = await Found(archive).of("run", UUID)
    assert found
    assert found.reply == reply_of(0.5)
    assert waiting_in(settings.amqp_url.get_secret_value()) == []


async def test_a_regrade_that_nobody_answers_ends_and_its_copies_stay(settings: Settings) -> None:
    archive = Archive(open_archive_store(settings), ArchiveSeals(settings.secrets))
    await archive.keep(PLACES[0], ArchivedSubmission(UUID, "openedx", 0.0, "http://lms/score_update", "{}"))
    regrading = Regrading(settings, archive, PLAN, at_once=1, patience=0.3, found_one=lambda: None)
    with pytest.raises(NoAnswerError, match=r"any of 1 copies for 0\.3 s"):
        await regrading.run(TODO)
    assert waiting_in(settings.amqp_url.get_secret_value()) == [COPY.copy_uuid]
