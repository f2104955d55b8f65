"""The table: each attack with who can make it; rows are those of the attack on 0.1.0."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic

from bench.attack.amqp_grader import amqp_grader, same
from bench.attack.arena import Arena
from bench.attack.browsers import scripts
from bench.attack.callback_urls import GOOD, others_lines, others_places, slow_origins
from bench.attack.forgeries import forged_answers
from bench.attack.own_services import own_services, passwords
from bench.attack.random_ones import hostile_requests, hostile_results
from bench.attack.replies import LARGE_ONES, MIB, chained_entities
from bench.attack.small_ones import small_ones
from bench.attack.strangers import behind_a_body, dripping, metrics_port, pipelined, silent, tiny_chunks

# How long messages of one size are published: a disk may take seconds for each of the largest.
PUBLISH_SECONDS = 60.0
# What docs/security.md promises of forms beyond the 100 MiB that any attack may cost.
FORMS_MIB = 256
# One message of 100 MiB is read at a time: it is in memory before it can be refused.
OLD_LIMIT_MIB = 150

Replies = Sequence[Callable[[], bytes]]


@dataclass(frozen=True)
class Attack:
    """One attack: which row, who makes it (S, P, G, A; "called" is a passive grader), and what it may cost.

    `mib` is what a process may have more than before while it goes on: 100, or what docs/security.md says. It ends
    after `deadline` seconds, done or not.
    """

    row: int | None
    who: str
    name: str
    run: Callable[[Arena], Awaitable[str]]
    mib: int = 100
    is_short: bool = True
    deadline: float = 60.0


async def _by_result(replies: Replies, arena: Arena) -> str:
    """Hand in each reply, four leases at a time."""
    leases = [await arena.lease() for _ in range(4)]
    answers: set[str] = set()

    async def attack() -> None:
        for make in replies[: arena.kinds]:
            reply = make()
            for _, content in await asyncio.gather(*(arena.put(lease, reply) for lease in leases)):
                answers.add(str(content)[:40])

    rounds = await arena.again(attack)
    for lease in leases:
        await arena.put(lease, GOOD)  # so that no later attack is given it
    return f"{rounds * len(replies[: arena.kinds]) * 4} results: {', '.join(sorted(answers))}"


async def _by_amqp(replies: Replies, arena: Arena) -> str:
    confirmed = 0
    async with amqp_grader(arena) as grader:

        async def attack() -> None:
            nonlocal confirmed
            taken = await grader.take(arena, 4)
            for make in replies[: arena.kinds]:
                confirmed += await grader.publish(*same(grader, taken, make()))

        await arena.again(attack)
    return f"{confirmed} results"


async def _when_called(replies: Replies, arena: Arena) -> str:
    queue = arena.target.passive_queue
    if queue is None:
        return "left out: no passive queue"
    arena.passive.says(*(make() for make in replies[: arena.kinds]))
    asked = len(arena.passive.asked)

    async def attack() -> None:
        await arena.submit_many(queue, 4)
        await asyncio.sleep(0.2)

    await arena.again(attack)
    return f"{len(arena.passive.asked) - asked} replies"


async def _too_large(arena: Arena) -> str:
    """Publish results larger than any that a broker of ours takes, and as large as it takes."""
    return await _of_sizes(arena, 100 * MIB, 16 * MIB - 1024)


async def _very_large(arena: Arena) -> str:
    """Publish results that a broker before 4.0 takes where nobody has set its limit."""
    return await _of_sizes(arena, 100 * MIB)


async def _of_sizes(arena: Arena, *sizes: int) -> str:
    told = []
    for size in sizes:
        sent = confirmed = 0
        end = monotonic() + PUBLISH_SECONDS
        async with amqp_grader(arena) as grader:
            taken = await grader.take(arena, 1)
            body = bytes(size)
            while sent < min(36, arena.kinds) and monotonic() < end:
                confirmed += await grader.publish(*same(grader, taken, body))
                sent += 1
        arena.conserved += confirmed  # parked once each, and not copied
        told.append(f"{confirmed} taken of {sent} of {size // MIB} MiB")
    return ", ".join(told)


async def _percent_signs(arena: Arena) -> str:
    """Send eight forms of 16 MiB at a time, by those who may hand in results and by those who may do nothing."""
    form = b"xqueue_header=x&xqueue_body=" + b"%" * (16 * MIB - 1024)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    calls = [("put_result/", arena.target.grader), ("submit/", arena.target.producer), ("login/", None)]
    answers: set[str] = set()

    async def attack() -> None:
        each = [calls[number % len(calls)] for number in range(8)]
        made = (arena.call("POST", call, account, data=form, headers=headers) for call, account in each)
        for answer in await asyncio.gather(*made, return_exceptions=True):
            said = answer if isinstance(answer, BaseException) else answer[1]
            answers.add(str(said)[:40])

    rounds = await arena.again(attack)
    return f"{8 * rounds} forms: {', '.join(sorted(answers))}"


async def _empty_results(arena: Arena) -> str:
    """Publish very many results that are nothing, as fast as the broker takes them, and again while this goes on."""
    confirmed = 0
    async with amqp_grader(arena) as grader:
        [taken] = await grader.take(arena, 1)
        forged = [grader.answer(taken, b"", headers={}, correlation_id=os.urandom(16).hex()) for _ in range(200)]

        async def attack() -> None:
            nonlocal confirmed
            for _ in range(max(1, arena.many // 200)):
                confirmed += await grader.publish(*forged)

        await arena.again(attack)
    return f"{confirmed} results"


ENTITIES = [chained_entities]
LARGE = list(LARGE_ONES.values())
FIT_TO_CALL = [make for name, make in LARGE_ONES.items() if "MiB" not in name]

ATTACKS = (
    Attack(1, "G", "30,000 chained entities in put_result", partial(_by_result, ENTITIES)),
    Attack(1, "A", "30,000 chained entities over AMQP", partial(_by_amqp, ENTITIES)),
    Attack(1, "called", "30,000 chained entities of a passive grader", partial(_when_called, ENTITIES)),
    Attack(3, "S", "256 KB of pipelined requests", pipelined),
    Attack(3, "S", "thousands of requests behind a body", behind_a_body, is_short=False),
    Attack(3, "S", "256 KB of a body in chunks of one byte", tiny_chunks, is_short=False),
    Attack(4, "G P S", "16 MiB of % in forms, 8 together", _percent_signs, mib=FORMS_MIB),
    Attack(5, "G", "large and nested replies in put_result", partial(_by_result, LARGE), mib=FORMS_MIB),
    Attack(5, "A", "large and nested replies over AMQP", partial(_by_amqp, LARGE)),
    Attack(5, "called", "an entity in an attribute, of a passive grader", partial(_when_called, FIT_TO_CALL)),
    Attack(6, "P", "others' callback URLs, submitted to a queue of its own", others_places, is_short=False),
    Attack(7, "P G", "12 junk results for a victim's URL, answered 500", others_lines, is_short=False, deadline=90),
    Attack(8, "P A", "3,000 origins that never answer", slow_origins, is_short=False, deadline=300),
    Attack(10, "S", "1,001 silent connections", silent, is_short=False),
    Attack(10, "S", "1,001 bodies that drip", dripping, is_short=False),
    Attack(11, "S", "1,001 connections to the metrics port", metrics_port, is_short=False),
    Attack(12, "P S", "scripts in a student's work; a foreign login form", scripts),
    Attack(13, "P", "callbacks to a server that wants the password", passwords),
    Attack(14, "P", "callbacks to XQueue's own services", own_services),
    Attack(15, "A", "forged answers to RPC callers", forged_answers),
    Attack(16, "S A", "escaped paths, old cookies, escapes in logs", small_ones, is_short=False),
    Attack(None, "S P G", "random hostile requests", hostile_requests, is_short=False, deadline=240),
    Attack(None, "A", "random hostile results over AMQP", hostile_results, deadline=240),
    Attack(9, "A", "empty results, as fast as they are taken", _empty_results, is_short=False),
    Attack(2, "A", "messages of 100 MiB, and of 16 MiB", _too_large, is_short=False, deadline=150),
)
# On a broker that takes 128 MiB: some 8 GB of disk, for two minutes.
ON_AN_OLD_LIMIT = (
    Attack(
        2,
        "A",
        "36 messages of 100 MiB, where the broker takes 128 MiB",
        _very_large,
        mib=OLD_LIMIT_MIB,
        is_short=False,
        deadline=120,
    ),
)
