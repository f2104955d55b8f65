"""Moves messages from one queue to another, in order; each is confirmed there before it is acked here.

Each copy goes, by one publish, to the destination and to a witness: a queue that says which messages may stand in both
places. It is emptied once they are acked. So a run that follows one that was killed knows what not to move again. The
witness hears also that the acks begin: of what it tells of and is not met any more, that was let go by the killed run,
and the rest was settled by others.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.errors import ReturnedError
from broker_setup.amqp.messages import Arrival, Message, Properties
from broker_setup.errors import BrokerUnavailableError, PublishRefusedError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.link.refusals import in_words
from broker_setup.operator.intake import taking_in
from broker_setup.operator.portions import to_its_end

PORTION = 100
# A busy broker may deliver late; what has not come after so many turns is somebody else's.
MOST_EMPTY_TURNS = 10
# What the broker writes itself at each delivery, and what would send a copy to further queues.
_NOT_COPIED = frozenset({"x-delivery-count", "x-acquired-count", "CC", "BCC"})
_PROPERTIES = tuple(field.name for field in fields(Properties))
# Of a witness's message that has the keys of what is about to be acked, one after the other.
LETTING_GO = "letting go"
KEY_BYTES = hashlib.sha256().digest_size

Key = bytes


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
        await asyncio.gather(*map(_confirmed, confirms))

    async def _tell_of_acks(self, channel: Channel, portion: Iterable[Arrival]) -> None:
        told = Message(b"".join(map(key_of, portion)), type=LETTING_GO)
        await _confirmed(channel.publish(told, exchange="", routing_key=self._witness))

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
    async with taking_in(link) as intake:
        ready = await intake.open(queue)
        found: list[Arrival] = []
        while ready and intake.left:
            turn = await intake.take(min(PORTION, intake.left))
            if not turn:
                raise BrokerUnavailableError(f"not all of {queue!r} came: another command reads it; run it again")
            found += turn
        copied = Counter(key_of(each) for each in found if each.type != LETTING_GO)
        return Told(copied, Counter(key for each in found if each.type == LETTING_GO for key in _keys(each)))


def copy_of(message: Arrival, witness: str) -> Message:
    """Make a copy with all properties and headers, which goes to the witness, too."""
    copied = {name: getattr(message, name) for name in _PROPERTIES}
    copied["headers"] = {**_headers(message), "BCC": [witness]}
    return Message(message.body, **copied)


def key_of(message: Arrival) -> Key:
    """Tell a message from all others, by all that it carries."""
    told = [getattr(message, name) for name in _PROPERTIES if name != "headers"]
    text = repr((told, sorted(_headers(message).items())))
    return hashlib.sha256(text.encode(errors="surrogatepass") + b"\0" + message.body).digest()


def _keys(let_go: Arrival) -> Sequence[Key]:
    return [let_go.body[start : start + KEY_BYTES] for start in range(0, len(let_go.body), KEY_BYTES)]


def _headers(message: Arrival) -> dict[str, object]:
    return {name: value for name, value in message.headers.items() if name not in _NOT_COPIED}


def _taken_from(keys: Counter[Key], message: Arrival) -> bool:
    """Take the message's key out of `keys` and say whether it was there."""
    if not keys:
        return False
    key = key_of(message)
    if key not in keys:
        return False
    keys -= Counter((key,))
    return True


async def _confirmed(confirm: Confirm) -> None:
    waiter = asyncio.get_running_loop().create_future()
    confirm.then(partial(_done, waiter))
    await waiter
    if confirm.error is None:
        return
    why = in_words(confirm.error)
    if "user_id" in why:
        raise PublishRefusedError(
            f"{why}: who moves other users' messages in their names needs the tag impersonator "
            "(rabbitmqctl set_user_tags USER administrator impersonator)"
        ) from confirm.error
    if isinstance(confirm.error, ReturnedError):
        raise PublishRefusedError("the queue that messages are moved to is gone: run it again") from confirm.error
    raise BrokerUnavailableError(f"the broker did not store a copy: {why}") from confirm.error


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
