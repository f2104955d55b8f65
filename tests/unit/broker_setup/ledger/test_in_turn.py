"""What comes from the ledger is taken in order, and holds nobody up however much comes at once."""

import asyncio
from typing import Any

from broker_setup.amqp.messages import Arrival
from broker_setup.ledger.in_turn import PORTION_BYTES, InTurn
from tests.support.leasing import turns

SOURCE: Any = None


def frame(number: int, size: int) -> Arrival:
    return Arrival(bytes(size), channel=SOURCE, delivery_tag=number)


async def test_what_comes_alone_is_taken_at_once() -> None:
    taken: list[int] = []
    in_turn = InTurn(lambda message: taken.append(message.delivery_tag))
    for number in range(3):
        in_turn.came(frame(number, PORTION_BYTES))
        assert taken == [*range(number + 1)]
        await turns(2)


async def test_of_what_comes_together_others_have_their_turns_in_between_and_the_order_is_kept() -> None:
    taken: list[int] = []
    in_turn = InTurn(lambda message: taken.append(message.delivery_tag))
    for number in range(100):
        # Now and then a full frame, which is a portion of its own.
        in_turn.came(frame(number, 20 * PORTION_BYTES if number % 10 == 5 else PORTION_BYTES // 4))
    in_a_round = []
    while len(taken) < 100:
        before = len(taken)
        await asyncio.sleep(0)
        in_a_round.append(len(taken) - before)
    assert taken == [*range(100)]
    assert max(in_a_round) <= 4
    in_turn.came(frame(100, 1))
    await turns(2)
    assert taken[-1] == 100
