"""Whether an import may begin at a broker, goes on there, or is done; and what it keeps there meanwhile."""

from collections.abc import Iterable
from enum import Enum, auto

from pika.exceptions import AMQPError

from broker_setup.errors import ArgumentError, BadMessageError, BrokerUnavailableError
from broker_setup.ledger.events import Act, Acted
from broker_setup.ledger.frames import decode_frame
from broker_setup.link.blocking import connect, look_at
from broker_setup.link.refusals import in_words
from broker_setup.operator.backup.progress_marks import COPIES, MARKS, Mark, decode_mark
from broker_setup.operator.intake import read_all
from broker_setup.operator.ledger_frames import frames_up_to_now
from broker_setup.operator.session import Session
from broker_setup.queue_arguments import standing_word, work_queue
from broker_setup.topology import LEDGER, Topology


class Place(Enum):
    """Where an import stands that no mark tells of."""

    FRESH = auto()
    DONE = auto()


async def place_of(session: Session, url: str, topology: Topology, export: str) -> Place | Mark:
    """Say how far the import of an export has come; raise ArgumentError where it must not begin."""
    own, is_done = await _heard(session, export)
    if is_done:
        return Place.DONE
    if MARKS in look_at(url, (), if_there=[MARKS]) and (marks := await read_all(session.source, MARKS)):
        last = max(map(decode_mark, marks))
        if last.export != export:
            raise ArgumentError(f"the import of another export, {last.export}, was begun at this broker: end that one")
        return last
    _refuse_what_is_not_fresh(url, topology, own)
    return Place.FRESH


async def _heard(session: Session, export: str) -> tuple[int, bool]:
    """Count what the ledger there has of its own, and say whether it tells that the export was imported."""
    own, is_done = 0, False
    async for frame in frames_up_to_now(session):
        try:
            read = decode_frame(frame.body)
        except BadMessageError:
            own += 1
            continue
        own += len(read.events) + read.unknown
        is_done |= any(
            isinstance(event, Acted) and event.act == Act.IMPORTED and event.reason == export for event in read.events
        )
    return own, is_done


def _refuse_what_is_not_fresh(url: str, topology: Topology, own: int) -> None:
    seen = look_at(url, [queue.name for queue in topology.queues])
    if own:
        raise ArgumentError(
            f"the ledger there has {own} events of its own: an export is imported into a broker where nothing was done "
            "yet, or its past would come after its present"
        )
    if filled := [name for name, (ready, _) in seen.items() if ready and name != LEDGER]:
        raise ArgumentError(f"there is something in {', '.join(filled)}: an export is imported into a fresh broker")
    if used := [name for name, (_, consumers) in seen.items() if consumers]:
        raise ArgumentError(
            f"somebody consumes from {', '.join(used)}: stop gateways, relays, bridges, consoles and graders until the "
            "import is done"
        )


def make_marks(url: str, exchanges: Iterable[str]) -> None:
    """Make the two queues; copies come by each of the exchanges."""
    try:
        with connect(url) as connection:
            channel = connection.channel()
            channel.queue_declare(MARKS, durable=True, arguments=dict(standing_word()))
            channel.queue_declare(COPIES, durable=True, arguments=dict(work_queue()))
            for exchange in filter(None, exchanges):
                channel.queue_bind(COPIES, exchange, COPIES)
    except AMQPError as error:
        raise _lost(error) from error


def remove_marks(url: str) -> None:
    """Remove them, that of the marks last."""
    try:
        with connect(url) as connection:
            channel = connection.channel()
            channel.queue_delete(COPIES)
            channel.queue_delete(MARKS)
    except AMQPError as error:
        raise _lost(error) from error


def _lost(error: AMQPError) -> BrokerUnavailableError:
    return BrokerUnavailableError(f"the broker refused, or was lost: {in_words(error)}")
