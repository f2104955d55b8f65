"""nginx, HAProxy and Caddy as `deploy/proxies/` has them, with ports and certificates of a test."""

import contextlib
import csv
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.programs import program
from tests.support.broker import CACHE
from tests.support.certificates import make_certificate
from tests.support.gateway import Gateway, wait_until
from tests.support.ports import free_port
from tests.support.project import ROOT

SECONDS = 60.0
EXAMPLES = ROOT / "deploy/proxies"
# Around what is an example, as the system's own configuration is.
NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_processes 1;
worker_shutdown_timeout 120s;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/example.conf;
}}
"""
HAPROXY = """
global
    log stderr format raw local0
    maxconn 4000
    stats socket {folder}/haproxy.sock mode 600 level admin
"""


@dataclass
class FrontDoor:
    """A proxy that runs, and how it is told that a gateway is about to stop."""

    name: str
    port: int
    folder: Path
    gateways: Sequence[Gateway]
    certificate: Path | None
    env: dict[str, str] = field(default_factory=dict)
    program: Path = Path()

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.certificate) if self.certificate else None

    def leave_alone(self, gateway: Gateway | None) -> None:
        """Do what an operator does before a gateway is stopped, or after that (None): at nginx, which asks nobody."""
        if not self.name.startswith("nginx"):
            return
        example = self.folder / "example.conf"
        text = example.read_text().replace(" down;", ";")
        if gateway:
            text = text.replace(f":{gateway.port} max_fails=1 fail_timeout=5s;", f":{gateway.port} max_fails=1 down;")
            assert " down;" in text
        else:
            text = text.replace(" max_fails=1;", " max_fails=1 fail_timeout=5s;")
        example.write_text(text)
        before = self._workers()
        subprocess.run(
            [self.program, "-p", self.folder, "-c", self.folder / "nginx.conf", "-s", "reload"],
            env={**os.environ, **self.env},
            check=True,
            timeout=SECONDS,
        )
        # The old ones still have polls, and take nothing new.
        wait_until(lambda: self._workers() - before, SECONDS, "nginx did not take its configuration")

    def _workers(self) -> set[str]:
        pid = (self.folder / "nginx.pid").read_text().strip()
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def sees(self, gateway: Gateway) -> bool:
        """Whether the proxy would send something to that gateway."""
        if self.name == "haproxy":
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(str(self.folder / "haproxy.sock"))
                asking.sendall(b"show stat xqueue-gateways 4 -1\n")
                said = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
            name = "one" if gateway is self.gateways[0] else "two"
            [row] = [row for row in csv.DictReader(said.splitlines()) if row["svname"] == name]
            # "UP 1/2" after a first check that failed: it still sends there, also when the gateway is back too soon.
            return row["status"].startswith("UP")
        if self.name == "caddy":
            lines = (self.folder / "proxy.log").read_text().splitlines()
            checks = [line for line in lines if "health_checker.active" in line and f':{gateway.port}"' in line]
            return not checks or '"msg":"host is up"' in checks[-1]
        return f":{gateway.port} max_fails=1 down;" not in (self.folder / "example.conf").read_text()


@contextlib.contextmanager
def front_door(name: str, gateways: Sequence[Gateway], folder: Path) -> Iterator[FrontDoor]:
    """Run the proxy that an example makes, until the block ends."""
    folder.mkdir(exist_ok=True)
    kind = name.partition("-")[0]
    found = program(kind, CACHE, lambda line: print(line, file=sys.stderr))
    certificate = None if name == "nginx-openedx" else make_certificate(folder / "tls")
    door = FrontDoor(name, free_port(), folder, gateways, certificate, dict(found.env), found.path)
    arguments = _WRITERS[kind](door)
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [found.path, *arguments], env={**os.environ, **found.env, "HOME": str(folder)}, stdout=log, stderr=log
        )
    try:
        wait_until(lambda: _listens(door.port), SECONDS, f"{name} did not start")
        assert process.poll() is None, (folder / "proxy.log").read_text()
        for gateway in gateways:
            wait_until(lambda gateway=gateway: door.sees(gateway), SECONDS, f"{name} sees no gateway")  # type: ignore[misc]
        yield door
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _example(door: FrontDoor, name: str, replaced: dict[str, str]) -> str:
    text = (EXAMPLES / name).read_text()
    served = door.gateways[:1] if name == "nginx-openedx.conf" else door.gateways
    ports = {f"127.0.0.1:{18040 + number}": f"127.0.0.1:{each.port}" for number, each in enumerate(served)}
    for ours, its in (ports | replaced).items():
        assert ours in text, f"{name} has no {ours}"
        text = text.replace(ours, its)
    return text


def _nginx(door: FrontDoor) -> list[str]:
    tls = {
        "listen 443 ssl;": f"listen 127.0.0.1:{door.port} ssl;",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "/etc/ssl/xqueue": str(door.folder / "tls"),
    }
    replaced = tls if door.certificate else {"listen 80;": f"listen 127.0.0.1:{door.port};"}
    (door.folder / "example.conf").write_text(_example(door, f"{door.name}.conf", replaced))
    user = "user root;" if os.geteuid() == 0 else ""
    (door.folder / "nginx.conf").write_text(NGINX.format(folder=door.folder, user=user))
    return ["-p", str(door.folder), "-c", str(door.folder / "nginx.conf")]


def _haproxy(door: FrontDoor) -> list[str]:
    both = door.folder / "xqueue.pem"
    both.write_bytes(b"".join((door.folder / "tls" / name).read_bytes() for name in ("cert.pem", "key.pem")))
    replaced = {
        "bind :80": f"bind 127.0.0.1:{free_port()}",
        "bind :443": f"bind 127.0.0.1:{door.port}",
        "/etc/haproxy/xqueue.pem": str(both),
    }
    (door.folder / "haproxy.cfg").write_text(
        HAPROXY.format(folder=door.folder) + _example(door, "haproxy.cfg", replaced)
    )
    return ["-db", "-f", str(door.folder / "haproxy.cfg")]


def _caddy(door: FrontDoor) -> list[str]:
    # By an address there is no name to get a certificate for, and ports below 1024 are not ours.
    site = f"https://127.0.0.1:{door.port} {{\n\ttls {door.folder}/tls/cert.pem {door.folder}/tls/key.pem"
    text = _example(door, "Caddyfile", {"xqueue.example {": site})
    (door.folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n\n{text}")
    return ["run", "--adapter", "caddyfile", "--config", str(door.folder / "Caddyfile")]


_WRITERS: dict[str, Callable[[FrontDoor], list[str]]] = {"nginx": _nginx, "haproxy": _haproxy, "caddy": _caddy}


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
