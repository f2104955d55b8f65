"""A private node in a container, where only Docker is there; not run where it was written, which has no engine."""

import os
import subprocess
from collections.abc import Mapping

from deploy.local.node_files import USER, NodeFiles
from deploy.local.ports import LOOPBACK

# What the files of a node on this machine say of grading and of clusters, less what is of no use in an image of 4.x.
_ERL_ARGS = (
    "-kernel net_ticktime 10 -rabbit consumer_timeout 86400000 heartbeat 10 "
    "dead_letter_worker_publisher_confirm_timeout 15000"
)


def container_name(marker: str) -> str:
    """Return the container's and its volume's name: one per data folder."""
    return f"xqueue-{marker[:12]}"


def container_command(image: str, marker: str, ports: Mapping[str, int]) -> list[str]:
    """Return the command that runs the server in the foreground: SIGTERM to it stops the container."""
    name = container_name(marker)
    return [
        *("docker", "run", "--rm", "--name", name),
        *("--hostname", "xqueue"),  # the node's name, and so its data's place, must stay the same
        *("--volume", f"{name}:/var/lib/rabbitmq"),
        *("--env", "RABBITMQ_DEFAULT_USER", "--env", "RABBITMQ_DEFAULT_PASS"),  # values: container_env()
        *("--env", f"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS={_ERL_ARGS}"),
        *("--publish", f"{LOOPBACK}:{ports['amqp']}:5672"),
        *("--publish", f"{LOOPBACK}:{ports['management']}:15672"),
        *("--publish", f"{LOOPBACK}:{ports['prometheus']}:15692"),
        image,
    ]


def container_env(files: NodeFiles) -> dict[str, str]:
    """Return what docker copies into the container: a password on the command line would be there for all to see."""
    return dict(os.environ) | {"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": files.password}


def remove_container(marker: str) -> None:
    """Kill the container if there is one; its volume with the data stays."""
    command = ["docker", "rm", "--force", container_name(marker)]
    subprocess.run(command, capture_output=True, check=False)
