"""docs/reference/topology.md shows what the default settings declare for one queue."""

import pytest

from broker_setup.settings import Settings
from broker_setup.topology import Queue
from tests.support.project import quoted, table_rows, text

PAGE = text("docs/reference/topology.md")
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
EXAMPLE = Settings(xqueues={"openedx": None}).topology
QUEUES = {quoted(row[0])[0]: row for row in table_rows(SECTIONS["Queues"])}
EXCHANGES = {quoted(row[0])[0]: row for row in table_rows(SECTIONS["Exchanges"])}


def by_name(queue: Queue) -> str:
    return queue.name


def test_every_queue_has_a_row_and_every_row_is_a_queue() -> None:
    assert sorted(QUEUES) == sorted(queue.name for queue in EXAMPLE.queues)


def test_every_exchange_has_a_row_with_its_type_and_every_row_is_an_exchange() -> None:
    assert {name: row[1] for name, row in EXCHANGES.items()} == {each.name: each.kind for each in EXAMPLE.exchanges}


def test_every_binding_stands_beside_its_exchange() -> None:
    for binding in EXAMPLE.bindings:
        row = EXCHANGES[binding.exchange]
        assert binding.routing_key in quoted(row[2])
        assert set(quoted(row[3])) == {each.queue for each in EXAMPLE.bindings if each.exchange == binding.exchange}


@pytest.mark.parametrize("queue", EXAMPLE.queues, ids=by_name)
def test_a_row_has_the_arguments_that_are_declared(queue: Queue) -> None:
    declared = {f"{name}={value}" for name, value in queue.arguments.items()}
    written = set(quoted(QUEUES[queue.name][2]))
    if "as above" in QUEUES[queue.name][2]:
        above = quoted(QUEUES["xqueue.results.rung.1s"][2])
        written |= {argument for argument in above if not argument.startswith("x-message-ttl")}
    assert written == declared


def test_every_argument_has_a_reason() -> None:
    reasons = SECTIONS["Why these arguments"]
    names = {name for queue in EXAMPLE.queues for name in queue.arguments} - {"x-dead-letter-routing-key"}
    assert [name for name in sorted(names) if name not in reasons] == []
