"""Moves messages from one queue to another, in order; each is confirmed there before it is acked here.

Each copy goes, by one publish, to the destination and to a witness: a queue that says which messages may stand in both
places. It is emptied once they are acked. So a run that follows one that was killed knows what not to move again. The
witness hears also that the acks begin: of what it tells of and is not met any more, that was let go by the killed run,
and the rest was settled by others.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.messages import Arrival, Message
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.operator.copies import KEY_BYTES, Key, confirmed, copy_of, key_of
from broker_setup.operator.intake import read_all, taking_in
from broker_setup.operator.portions import to_its_end

PORTION = 100
# A busy broker may deliver late; what has not come after so many turns is somebody else's.
MOST_EMPTY_TURNS = 10
# Of a witness's message that has the keys of what is about to be acked, one after the other.
LETTING_GO = "letting go"


@dataclass(frozen=True)
class Told:
    """What a witness tells: what was `copied` and may stand in both places, and of what the acks had begun."""

    copied: Counter[Key]
    let_go: Counter[Key]

    @property
    def settled(self) -> Counter[Key]:
        """What stood in both places, and others settled, if it is not met any more where it was."""
        return self.copied - self.let_go


class Mover:
    """Moves on two links, which may be of two brokers; the `witness` is at the target."""

    def __init__(self, source: Link, target: Link, witness: str, leave: Counter[Key] | None = None) -> None:
        """Build it; what is in `leave` is dropped instead of moved, each as often as it stands there."""
        self._source = source
        self._target = target
        self._witness = witness
        self._known: Counter[Key] = Counter()
        self._leave = leave or Counter()

    async def begin(self) -> None:
        """Read the witness of an earlier run."""
        self._known = (await read_witness(self._target, self._witness)).copied

    async def drain(self, origin: str, destination: str) -> int:
        """Move until nothing is ready any more; return how many were moved.

        Raise BrokerUnavailableError or PublishRefusedError: then what was not confirmed stands where it was.
        """
        moved = empty_turns = 0
        with broker_calls("the messages could not be moved"):
            publishing = await self._target.channel()
            async with taking_in(self._source) as intake:
                while (ready := await intake.open(origin)) and empty_turns < MOST_EMPTY_TURNS:
                    portion = await intake.take(min(ready, PORTION))
                    if not portion:
                        empty_turns += 1
                        continue

                    async def move(portion: Sequence[Arrival] = portion) -> None:
                        await self._publish(publishing, self._fresh(portion), destination)
                        await self._tell_of_acks(publishing, portion)
                        await intake.ack(portion)
                        await self._clear_witness()

                    await to_its_end(move())
                    moved += len(portion)
            await close_channel(publishing)
        return moved

    def _fresh(self, portion: Iterable[Arrival]) -> Sequence[Arrival]:
        """Leave out what stands at the destination already."""
        return [each for each in portion if not _taken_from(self._leave, each) and not _taken_from(self._known, each)]

    async def _publish(self, channel: Channel, messages: Iterable[Arrival], destination: str) -> None:
        confirms = [
            channel.publish(copy_of(each, self._witness), exchange="", routing_key=destination) for each in messages
        ]
        await asyncio.gather(*map(confirmed, confirms))

    async def _tell_of_acks(self, channel: Channel, portion: Iterable[Arrival]) -> None:
        told = Message(b"".join(map(key_of, portion)), type=LETTING_GO)
        await confirmed(channel.publish(told, exchange="", routing_key=self._witness))

    async def _clear_witness(self) -> None:
        """Keep of the witness only what an earlier run moved and nobody has met again."""
        if not self._known:
            channel = await self._target.channel()
            await channel.purge(self._witness)
            await close_channel(channel)
            return
        kept = self._known.copy()
        async with taking_in(self._target) as intake:
            if ready := await intake.open(self._witness):
                found = await intake.take(ready)
                needless = [each for each in found if each.type != LETTING_GO and not _taken_from(kept, each)]
                ended = [
                    each for each in found if each.type == LETTING_GO and self._known.keys().isdisjoint(_keys(each))
                ]
                await intake.ack([*needless, *ended])


async def read_witness(link: Link, queue: str) -> Told:
    """Read what a witness tells, and leave it there."""
    found = await read_all(link, queue)
    copied = Counter(key_of(each) for each in found if each.type != LETTING_GO)
    return Told(copied, Counter(key for each in found if each.type == LETTING_GO for key in _keys(each)))


def _keys(let_go: Arrival) -> Sequence[Key]:
    return [let_go.body[start : start + KEY_BYTES] for start in range(0, len(let_go.body), KEY_BYTES)]


def _taken_from(keys: Counter[Key], message: Arrival) -> bool:
    """Take the message's key out of `keys` and say whether it was there."""
    if not keys:
        return False
    key = key_of(message)
    if key not in keys:
        return False
    keys -= Counter((key,))
    return True
