"""What makes a node private."""

import stat
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.local.container import container_command, container_env
from deploy.local.errors import BootError
from deploy.local.node import PrivateNode
from deploy.local.node_files import PORT_NAMES, NodeFiles
from deploy.local.ports import LOOPBACK

PORTS = {name: 20000 + number for number, name in enumerate(PORT_NAMES)}


def test_secrets_are_their_owners_alone(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "node")
    files.write(PORTS)
    modes = {
        name: stat.S_IMODE((files.folder / name).stat().st_mode)
        for name in ("", "password", "rabbitmq.conf", "home/.erlang.cookie")
    }
    assert modes == {"": 0o700, "password": 0o600, "rabbitmq.conf": 0o600, "home/.erlang.cookie": 0o400}


def test_the_password_and_the_cookie_are_different_and_stay(tmp_path: Path) -> None:
    first, second = NodeFiles(tmp_path / "node"), NodeFiles(tmp_path / "node")
    assert first.password == second.password
    assert first.password != (first.folder / "home/.erlang.cookie").read_text()


def test_every_listener_is_on_the_loopback(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "node")
    files.write(PORTS)
    conf = dict(
        line.split(" = ") for line in (files.folder / "rabbitmq.conf").read_text().splitlines() if " = " in line
    )
    assert conf["listeners.tcp.1"] == f"{LOOPBACK}:{PORTS['amqp']}"
    assert conf["management.tcp.ip"] == conf["prometheus.tcp.ip"] == LOOPBACK
    env = files.env(PORTS)
    assert env["ERL_EPMD_ADDRESS"] == env["RABBITMQ_NODE_IP_ADDRESS"] == LOOPBACK
    assert "inet_dist_use_interface {127,0,0,1}" in env["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]


def test_settings_meant_for_another_rabbitmq_do_not_reach_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RABBITMQ_NODE_PORT", "RABBITMQ_USE_LONGNAME", "ERL_FLAGS", "NOTIFY_SOCKET", "XQUEUE_SECRET_KEY"):
        monkeypatch.setenv(name, "somebody else's")
    assert "somebody else's" not in NodeFiles(tmp_path / "node").env(PORTS).values()


def test_the_container_listens_on_the_loopback_and_has_no_password_on_its_command_line(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "node")
    command = container_command("rabbitmq:4.3.3-management", files.marker, PORTS)
    published = [word for before, word in pairwise(command) if before == "--publish"]
    assert len(published) == 3
    assert all(word.startswith(f"{LOOPBACK}:") for word in published)
    assert files.password not in " ".join(command)
    assert container_env(files)["RABBITMQ_DEFAULT_PASS"] == files.password


@pytest.mark.parametrize("name", ["my data", "żółw"])
def test_a_folder_that_rabbitmq_cannot_live_in_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(BootError, match="set XQUEUE_DATA_DIR to a folder without spaces"):
        PrivateNode(tmp_path / name).start()


def test_a_light_node_logs_warnings_alone_and_runs_on_one_core(tmp_path: Path) -> None:
    said = []
    for light in (False, True):
        files = NodeFiles(tmp_path / f"node {light}", light=light)
        files.write(PORTS)
        conf = (files.folder / "rabbitmq.conf").read_text()
        flags = files.env(PORTS)["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
        said.append(("log.file.level = info\n" in conf, "log.file.level = warning\n" in conf, "+S 1:1" in flags))
    assert said == [(True, False, False), (False, True, True)]
