"""The private node: a real one, stopped and started again.

How it is killed is in tests/acceptance/test_broker_killed.py.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from deploy.local.errors import BusyError
from deploy.local.node import PrivateNode
from deploy.local.process import is_ours
from deploy.local.ready import wait_until
from tests.support.broker import call, own_node
from tests.support.node_control import evaluated

STREAM = {"x-queue-type": "stream"}


def listeners(pid: int) -> set[str]:
    """Return the addresses, in Linux's notation, that a process listens on."""
    inodes = {f.readlink().name for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_symlink()}
    rows = [line.split() for f in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{f}").read_text().splitlines()[1:]]
    return {row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("private")


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[PrivateNode]:
    """One node for all tests here: a start takes it 7 s of processor time."""
    with own_node(folder) as running:
        yield running


@dataclass(frozen=True)
class Restarted:
    """What was seen of a node that was stopped, and then started while somebody else had its port."""

    left: tuple[bool, bool]  # whether its server and its epmd were still there
    port: int | None  # before


@pytest.fixture(scope="module")
def restarted(node: PrivateNode, folder: Path) -> Restarted:
    port = urlsplit(node.amqp_url).port
    marker = (folder / "node/marker").read_text()
    server, epmd = (int((folder / f"node/{name}.pid").read_text()) for name in ("server", "epmd"))
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url)) as connection:
        connection.channel().queue_declare("ledger", durable=True, arguments=STREAM)
    node.stop()
    left = is_ours(server, marker), is_ours(epmd, "-relaxed_command_check")
    with socket.create_server(("127.0.0.1", port or 0)):
        node.start()
    return Restarted(left, port)


def test_a_node_listens_to_this_machine_alone_and_has_its_folder_to_itself(node: PrivateNode, folder: Path) -> None:
    pid = int((folder / "node/server.pid").read_text())
    if Path(f"/proc/{pid}").exists():
        assert listeners(pid) == {"0100007F"}  # 127.0.0.1, and nothing else
    with pytest.raises(BusyError, match="stop that one first"):
        PrivateNode(folder).start()


@pytest.mark.timeout(180)
def test_a_stopped_node_leaves_no_process_and_finds_other_ports_where_its_own_were_taken(
    restarted: Restarted, node: PrivateNode, folder: Path
) -> None:
    assert restarted.left == (False, False)
    assert urlsplit(node.amqp_url).port != restarted.port
    assert json.loads((folder / "node/ports.json").read_text())["amqp"] == urlsplit(node.amqp_url).port


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("restarted")
def test_a_started_node_has_its_streams_back(node: PrivateNode) -> None:
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url)) as connection:
        connection.channel().queue_declare("ledger", durable=True, passive=True)


@pytest.mark.timeout(180)
def test_a_node_runs_with_what_grading_and_a_cluster_need(node: PrivateNode) -> None:
    keys = "cluster_partition_handling, max_message_size, dead_letter_worker_publisher_confirm_timeout"
    said = evaluated(node, f"[application:get_env(rabbit, Key) || Key <- [{keys}]].")
    assert said.replace(" ", "") == "[{ok,pause_minority},{ok,16777216},{ok,15000}]"

    def ticks() -> bool:  # among what the management API gathers every 5 s
        return [node.get("net_ticktime") for node in call(node.management_url, "GET", "nodes").json()] == [10]

    assert wait_until(ticks, 60)
