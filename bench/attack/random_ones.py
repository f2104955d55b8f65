"""Hostile requests and results, made from their numbers: the same in each run."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import aio_pika

from bench.attack.amqp_grader import AmqpGrader, Taken, amqp_grader
from bench.attack.arena import Arena
from bench.attack.replies import at_random
from broker_setup.wire.properties import BOOKKEEPING_HEADERS, DELIVERY_COUNT_HEADER, RETURN_HEADER
from tests.support.hostile_requests import HUNG_UP, NO_ANSWER, TOO_LATE, authorization, fire

REQUESTS_AT_ONCE = 40
RESULTS_AT_ONCE = 500
# Above STALL_TIMEOUT: some never send the end of what they announce.
ANSWER_SECONDS = 60.0
# Before this version of RabbitMQ one made-up x-death stops a node's dead letters for good (docs/reference/rights.md):
# then every later attack measures nothing but that.
NO_DEATH_STOPS_IT = 4


async def hostile_requests(arena: Arena) -> str:
    """Send `arena.many` hostile requests; none may stay without an answer, or be answered 500."""
    statuses: Counter[int] = Counter()
    numbers = iter(range(arena.many))
    accounts = [authorization(*account) for account in (arena.target.producer, arena.target.grader)]

    async def attacker() -> None:
        for number in numbers:
            statuses[await fire(arena.target.url, number, accounts[number // 4 % 2], ANSWER_SECONDS)] += 1

    await asyncio.gather(*(attacker() for _ in range(REQUESTS_AT_ONCE)))
    for status, number in statuses.items():
        if status == TOO_LATE or status >= 500:
            arena.said.append(f"{number} of {arena.many} requests got {status if status > 0 else 'no answer in time'}")
    served = statuses.total() - statuses[HUNG_UP] - statuses[NO_ANSWER]
    return f"{arena.many} requests, {served} answered"


async def hostile_results(arena: Arena) -> str:
    """Publish `arena.many` hostile results, most of them for submissions that the grader was given."""
    confirmed = 0
    async with amqp_grader(arena) as grader:
        for start in range(0, arena.many, RESULTS_AT_ONCE):
            numbers = range(start, min(arena.many, start + RESULTS_AT_ONCE))
            taken = await grader.take(arena, len(numbers))
            answers = [_hostile(grader, each, number) for each, number in zip(taken, numbers, strict=True)]
            confirmed += await grader.publish(*answers)
    if confirmed < arena.many:
        arena.said.append(f"{arena.many - confirmed} of {arena.many} results were not taken by the broker")
    arena.conserved = confirmed
    return f"{confirmed} results"


def _hostile(grader: AmqpGrader, taken: Taken, number: int) -> tuple[aio_pika.Message, str]:
    some = random.Random(number)
    kinds = _PROPERTIES if grader.server_major < NO_DEATH_STOPS_IT else [*_PROPERTIES, _made_up_death]
    properties = some.choice(kinds)(some, taken) if some.random() < 0.5 else {}
    return grader.answer(taken, at_random(some), **properties)


def _deep(levels: int) -> Any:
    table: Any = {}
    for _ in range(levels):
        table = {"a": table, "b": [table]} if levels < 5 else {"a": table}
    return table


_PROPERTIES: list[Callable[[random.Random, Taken], dict[str, Any]]] = [
    lambda _, __: {"headers": {}},
    lambda some, _: {"headers": {RETURN_HEADER: some.randbytes(some.randrange(500)).hex()}},
    lambda some, taken: {"headers": {RETURN_HEADER: str(taken.sealed)[: some.randrange(100)]}},
    lambda some, _: {"headers": {RETURN_HEADER: some.choice([7, None, [], {"a": 1}, bytearray(b"\xff")])}},
    lambda some, taken: {"headers": _with(taken, dict.fromkeys(BOOKKEEPING_HEADERS, some.choice([-1, 2**62, "x"])))},
    lambda some, taken: {"headers": _with(taken, {DELIVERY_COUNT_HEADER: some.choice([5, 2**62, "x"])})},
    lambda some, taken: {"headers": _with(taken, {"deep": _deep(some.choice([3, 40]))})},
    lambda _, taken: {"headers": _with(taken, {f"more-{n}": "x" * 50 for n in range(200)})},
    lambda some, taken: {"correlation_id": some.choice(["", "x\r\n\x1b[31m", "0" * 32, taken.correlation_id.upper()])},
    lambda _, __: {"content_encoding": "gzip", "content_type": "text/\x1b", "type": "\r\n"},
    lambda some, _: {"timestamp": some.choice([0, 1, 2**37])},
    lambda some, _: {"priority": some.randrange(255), "app_id": "x" * 250, "message_id": "same"},
    lambda some, _: {"reply_to": some.choice(["", "xqueue.results", "x" * 250])},
    lambda _, __: {"delivery_mode": 1},
]


def _made_up_death(some: random.Random, taken: Taken) -> dict[str, Any]:
    return {"headers": _with(taken, {"x-death": some.choice([[], [{}], "x", [{"count": "x"}]])})}


def _with(taken: Taken, more: dict[str, Any]) -> dict[str, Any]:
    return {RETURN_HEADER: taken.sealed} | more
