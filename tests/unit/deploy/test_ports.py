"""Free ports, remembered."""

import json
import socket
from pathlib import Path

from deploy.local import ports


def test_remembered_ports_stay_the_same(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.remembered(file, ["amqp", "management"])
    assert ports.remembered(file, ["amqp", "management"]) == first
    assert len(set(first.values())) == 2


def test_a_port_that_was_taken_meanwhile_is_picked_anew(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.remembered(file, ["amqp", "management"])
    with socket.create_server((ports.LOOPBACK, first["amqp"])):
        second = ports.remembered(file, ["amqp", "management"])
    assert second["amqp"] != first["amqp"]
    assert second["management"] == first["management"]
    assert json.loads(file.read_text()) == second


def test_a_damaged_memory_is_no_reason_to_fail(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    for text in ("", "[1]", '{"amqp": "five"}'):
        file.write_text(text)
        assert ports.remembered(file, ["amqp"])["amqp"] in range(ports.FIRST, ports.LAST + 1)


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_rabbitmqs_own_ports_are_never_picked() -> None:
    own = {5672, 15672, 25672, 15692, 4369, 35672}
    assert not own & (set(range(ports.FIRST, ports.LAST + 1)) - ports.NEVER)
