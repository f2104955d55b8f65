"""The files and variables that make a RabbitMQ node private: its own ports, cookie, folders, all on the loopback."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.local.ports import LOOPBACK
from deploy.local.secret import kept, write_private

USER = "xqueue"
NODE_NAME = "xqueue@localhost"
PORT_NAMES = ("amqp", "management", "prometheus", "distribution", "epmd")

CONFIG = """\
listeners.tcp.1 = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {prometheus}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
# A held delivery may stay unacked for as long as a grader may take; the queues' own arguments are shorter.
consumer_timeout = 86400000
heartbeat = 10
# A developer's disk is often nearly full, and an alarm blocks every publish.
disk_free_limit.absolute = 200MB
vm_memory_high_watermark.relative = 0.4
# RabbitMQ 4's own; before, it takes 128 MiB, of which a relay that has many of them runs out of memory.
max_message_size = 16777216
# Of one node these two mean nothing; whoever joins more to it has them right. docs/howto/cluster.md says what for.
net_ticktime = 10
cluster_partition_handling = pause_minority
log.file.level = {level}
log.file.rotation.size = 10000000
log.file.rotation.count = 2
"""

# rabbitmq.conf has no key for it. Milliseconds: after so long, what a rung has sent on and nobody has confirmed is sent
# again.
ADVANCED = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 15000}]}].\n"

PLUGINS = "[rabbitmq_management,rabbitmq_prometheus].\n"

# One thread that runs Erlang's processes, and 32 kB for each of these to begin with: a third less of processor time for
# what tests do, who make connections, queues and virtual hosts by the thousand.
LIGHT = " +S 1:1 +hms 4096"

# Names are resolved here and not by /etc/hosts, which may be missing or may say ::1, where nothing of ours listens.
INETRC = '{host, {127,0,0,1}, ["localhost"]}.\n{lookup, [file]}.\n'


class NodeFiles:
    """Where a node keeps what, and what it reads at its start."""

    def __init__(self, folder: Path, *, light: bool = False) -> None:
        """Lay out the folder; everything in it is for its owner alone. `light` as in PrivateNode."""
        self.folder = folder
        self._light = light
        self.logs = folder / "logs"
        for part in (folder, self.logs, folder / "home", folder / "data", folder / "generated"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ports = folder / "ports.json"
        self.password = kept(folder / "password")
        kept(folder / "home/.erlang.cookie", mode=0o400)
        # On the server's command line, so that a later start can tell its own leftover from a stranger.
        self.marker = kept(folder / "marker")

    def write(self, ports: Mapping[str, int]) -> None:
        """Write what the server reads."""
        level = "warning" if self._light else "info"
        text = CONFIG.format(host=LOOPBACK, user=USER, password=self.password, level=level, **ports)
        write_private(self.folder / "rabbitmq.conf", text)
        (self.folder / "advanced.config").write_text(ADVANCED)
        (self.folder / "enabled_plugins").write_text(PLUGINS)
        (self.folder / "inetrc").write_text(INETRC)
        (self.folder / "env.conf").write_text("")

    def env(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Return the server's environment: ours without a RabbitMQ's or an Erlang's own settings, plus the node's."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RABBITMQ_", "ERL_", "XQUEUE_", "NOTIFY_SOCKET"))
        }
        node = {
            "NODENAME": NODE_NAME,
            "NODE_IP_ADDRESS": LOOPBACK,
            "NODE_PORT": ports["amqp"],
            "DIST_PORT": ports["distribution"],
            "MNESIA_BASE": self.folder / "data",
            "LOG_BASE": self.logs,
            "PID_FILE": self.folder / "rabbitmq.pid",
            "CONFIG_FILE": self.folder / "rabbitmq.conf",
            "ADVANCED_CONFIG_FILE": self.folder / "advanced.config",
            "ENABLED_PLUGINS_FILE": self.folder / "enabled_plugins",
            "SCHEMA_DIR": self.folder / "generated",
            "GENERATED_CONFIG_DIR": self.folder / "generated",
            "FEATURE_FLAGS_FILE": self.folder / "feature_flags",
            "CONF_ENV_FILE": self.folder / "env.conf",
            # Several nodes share a developer's cores: don't pin schedulers, or all sit on the same ones.
            "SCHEDULER_BIND_TYPE": "u",
            "SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{127,0,0,1}} -xqueue_node {self.marker}"
            + LIGHT * self._light,
        }
        return inherited | {
            "HOME": str(self.folder / "home"),
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_INETRC": str(self.folder / "inetrc"),
            # The start script then becomes the server, so that the process we started is the server itself.
            "RUNNING_UNDER_SYSTEMD": "true",
            **{f"RABBITMQ_{name}": str(value) for name, value in node.items()},
        }
