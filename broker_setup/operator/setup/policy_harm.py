"""Which policies of a site take work away from our queues, and what they do to it; decisions, no I/O.

On a shared broker somebody's policy for all queues is one for ours, too. Of a limit the lesser of policy and argument
counts; in all else a queue's own argument goes before a policy.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from broker_setup.queue_arguments import DELIVERY_LIMIT
from broker_setup.topology import LEDGER

# What a limit does; RabbitMQ has times in milliseconds.
_LIMITS = {
    "message-ttl": "takes out what has waited for {seconds:,g} s",
    "expires": "deletes the queue when nobody has consumed from it for {seconds:,g} s",
    "max-length": "keeps {limit:,} messages and no more",
    "max-length-bytes": "keeps {limit:,} bytes and no more",
    "delivery-limit": "takes out what has come back {limit:,} times, as deaths and restarts have it do",
}
_OF_THE_LEDGER = ("max-age", "max-length-bytes")
# As queues of ours have it that say nothing of it themselves.
_ENOUGH = {"delivery-limit": DELIVERY_LIMIT}


def harm_of_policies(queues: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each limit of a policy that takes work from a queue of ours; `queues` are the API's.

    That tells what applies, operator policies included, and some seconds late.
    """
    return [
        f"{_whose(queue)} on queue {queue['name']!r} {does}: have it leave out queues named `xqueue.`"
        for queue in queues
        if queue["name"].startswith("xqueue.")
        for does in _harm(queue)
    ]


def _whose(queue: Mapping[str, Any]) -> str:
    names = [name for name in (queue.get("policy"), queue.get("operator_policy")) if name]
    return f"policy {' or '.join(names)}" if names else "a policy"


def _harm(queue: Mapping[str, Any]) -> Iterator[str]:
    applied, own = queue.get("effective_policy_definition"), queue.get("arguments") or {}
    if not isinstance(applied, Mapping):  # there is none: an empty list, as Erlang writes it
        return
    if queue["name"] == LEDGER:
        for key in _OF_THE_LEDGER:
            if key in applied and applied[key] != own.get(f"x-{key}"):
                yield f"has {key} = {applied[key]}, not {own.get(f'x-{key}')}: leases and history end with it"
        return
    for key, does in _LIMITS.items():
        limit = applied.get(key)
        least = min((each for each in (own.get(f"x-{key}"), _ENOUGH.get(key)) if each is not None), default=None)
        if isinstance(limit, int) and (least is None or limit < least):
            yield f"has {key} = {limit}: it {does.format(limit=limit, seconds=limit / 1000)}"
