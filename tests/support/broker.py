"""The broker of a test run, and virtual hosts on it: one for each test."""

import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import requests
from testcontainers.core.container import DockerContainer

from deploy.local.node import PrivateNode
from deploy.local.ready import amqp_answers, http_answers, wait_until
from deploy.local.runtime import Container

CACHE = Path(os.environ.get("XQUEUE_CACHE_DIR") or Path(__file__).parents[2] / ".local/cache")
IMAGE = Container().image


@dataclass(frozen=True)
class Broker:
    """Where the run's broker is; both URLs carry user and password, the AMQP one has no virtual host."""

    amqp_url: str
    management_url: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> Self:
        return cls(**values)


@dataclass(frozen=True)
class VHost:
    """A virtual host of a test's own."""

    name: str
    amqp_url: str
    management_url: str

    def api(self, method: str, path: str, **options: object) -> requests.Response:
        """Call the management API: path is relative to /api/, and {vhost} in it stands for this host."""
        return call(self.management_url, method, path.format(vhost=quote(self.name, safe="")), **options)


def call(management_url: str, method: str, path: str, **options: object) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # no proxy between us and the loopback
        answer = session.request(method, f"{management_url}/api/{path}", timeout=30, **options)  # type: ignore[arg-type]
        answer.raise_for_status()
        return answer


@contextlib.contextmanager
def running_broker(*, light: bool = False) -> Iterator[Broker]:
    """Run, or find, the broker that BROKER names: nothing (a private node, perhaps `light`), docker, or AMQP."""
    wanted = os.environ.get("BROKER", "")
    if not wanted:
        with (
            tempfile.TemporaryDirectory(prefix="xqueue-broker-") as folder,
            own_node(Path(folder), light=light) as node,
        ):
            yield Broker(node.amqp_url.rstrip("/"), node.management_url)
    elif wanted == "docker":
        with DockerContainer(IMAGE).with_exposed_ports(5672, 15672) as container:  # guest may come from anywhere there
            address = container.get_container_host_ip()
            yield _answering(
                f"amqp://guest:guest@{address}:{container.get_exposed_port(5672)}",
                f"http://guest:guest@{address}:{container.get_exposed_port(15672)}",
            )
    elif management := os.environ.get("BROKER_MANAGEMENT"):
        yield _answering(wanted.rstrip("/"), management.rstrip("/"))
    else:
        raise RuntimeError("BROKER names a broker: BROKER_MANAGEMENT=http://user:password@host:port must name its API")


@contextlib.contextmanager
def own_node(folder: Path, *, light: bool = False) -> Iterator[PrivateNode]:
    """Run a private node whose data is not wanted afterwards."""
    with PrivateNode(folder, cache_dir=CACHE, light=light) as node:
        try:
            yield node
        finally:
            node.kill()  # a proper stop takes 3.10 six seconds


def _answering(amqp_url: str, management_url: str) -> Broker:
    def answers() -> bool:
        return http_answers(f"{management_url}/api/overview") and amqp_answers(f"{amqp_url}/")

    if not wait_until(answers, 60):
        raise RuntimeError("the broker that BROKER names, or its management API, does not answer")
    return Broker(amqp_url, management_url)


@contextlib.contextmanager
def temporary_vhost(broker: Broker) -> Iterator[VHost]:
    """Make a virtual host with full permissions for the broker's user; delete it, and all in it, at the end."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    user = urlsplit(broker.management_url).username or "guest"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    call(broker.management_url, "PUT", f"vhosts/{name}", json={})
    try:
        call(broker.management_url, "PUT", f"permissions/{name}/{user}", json=everything)
        yield VHost(name, f"{broker.amqp_url}/{name}", broker.management_url)
    finally:
        _delete(broker, name)


def _delete(broker: Broker, name: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            call(broker.management_url, "DELETE", f"vhosts/{name}")
        except requests.HTTPError:  # 3.10 answers 500 when a queue of it is just being made or deleted
            if time.monotonic() > deadline:
                raise
        else:
            return
