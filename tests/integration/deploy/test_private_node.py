"""The private node: a real one, killed and started again."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from deploy.local.errors import BusyError
from deploy.local.node import PrivateNode
from deploy.local.process import is_ours
from deploy.local.ready import amqp_answers, http_answers, wait_until
from tests.support.broker import call
from tests.support.node_control import rabbitmqctl

QUORUM = {"x-queue-type": "quorum"}


def listeners(pid: int) -> set[str]:
    """Return the addresses, in Linux's notation, that a process listens on."""
    inodes = {f.readlink().name for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_symlink()}
    rows = [line.split() for f in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{f}").read_text().splitlines()[1:]]
    return {row[1].rsplit(":", 1)[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


@pytest.mark.timeout(180)
def test_a_killed_node_comes_back_in_place_with_its_messages(private_node: PrivateNode, tmp_path: Path) -> None:
    amqp_url, management_url = private_node.amqp_url, private_node.management_url
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments=QUORUM)
        channel.basic_publish("", "kept", b"still here", pika.BasicProperties(delivery_mode=2))

    pid = int((tmp_path / "node/server.pid").read_text())
    if Path(f"/proc/{pid}").exists():
        assert listeners(pid) == {"0100007F"}  # 127.0.0.1, and nothing else
    with pytest.raises(BusyError, match="stop that one first"):
        PrivateNode(tmp_path).start()

    # 3.10 writes a new queue's name down half a second late: killed before that, the queue never gets a leader.
    directory = tmp_path / "node/data/xqueue@localhost/quorum/xqueue@localhost/names.dets"
    assert wait_until(lambda: b"kept" in directory.read_bytes(), 60)

    private_node.kill()
    assert not private_node.running
    assert not amqp_answers(amqp_url)
    private_node.start()

    assert (private_node.amqp_url, private_node.management_url) == (amqp_url, management_url)
    assert http_answers(f"{management_url}/api/overview")
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        assert connection.channel().basic_get("kept", auto_ack=True)[2] == b"still here"


@pytest.mark.timeout(180)
def test_a_started_node_has_its_streams_back(private_node: PrivateNode) -> None:
    stream = {"x-queue-type": "stream"}
    with pika.BlockingConnection(pika.URLParameters(private_node.amqp_url)) as connection:
        connection.channel().queue_declare("ledger", durable=True, arguments=stream)
    private_node.stop()
    private_node.start()
    with pika.BlockingConnection(pika.URLParameters(private_node.amqp_url)) as connection:
        connection.channel().queue_declare("ledger", durable=True, arguments=stream)


@pytest.mark.timeout(180)
def test_a_stopped_node_leaves_no_process_and_finds_other_ports_where_its_own_were_taken(
    private_node: PrivateNode, tmp_path: Path
) -> None:
    port = urlsplit(private_node.amqp_url).port
    marker = (tmp_path / "node/marker").read_text()
    pids = [int((tmp_path / f"node/{name}.pid").read_text()) for name in ("server", "epmd")]
    private_node.stop()
    assert not is_ours(pids[0], marker)
    assert not is_ours(pids[1], "-relaxed_command_check")
    with socket.create_server(("127.0.0.1", port or 0)):
        private_node.start()
        assert urlsplit(private_node.amqp_url).port != port
        assert json.loads((tmp_path / "node/ports.json").read_text())["amqp"] == urlsplit(private_node.amqp_url).port


@pytest.mark.timeout(180)
def test_a_node_runs_with_what_grading_and_a_cluster_need(private_node: PrivateNode) -> None:
    keys = "cluster_partition_handling, max_message_size, dead_letter_worker_publisher_confirm_timeout"
    said = rabbitmqctl(private_node, "--quiet", "eval", f"[application:get_env(rabbit, Key) || Key <- [{keys}]].")
    assert said.strip() == "[{ok,pause_minority},{ok,16777216},{ok,15000}]"

    def ticks() -> bool:  # among what the management API gathers every 5 s
        return [node.get("net_ticktime") for node in call(private_node.management_url, "GET", "nodes").json()] == [10]

    assert wait_until(ticks, 60)
