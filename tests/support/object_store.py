"""A real S3 server (SeaweedFS, from a wheel) for the tests: signatures are checked, files lie in a temporary folder."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import requests

from tests.support.gateway import wait_until
from tests.support.ports import free_port

START_SECONDS = 40.0
ACCESS_KEY = "the-access-key"
SECRET = "the-secret-access-key"

_numbers = count(1)


@dataclass
class ObjectStoreServer:
    """One server process; kill it and start it again as often as needed."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> dict[str, str]:
        """What UPLOAD_STORE_OPTIONS takes."""
        return {
            "endpoint": f"http://127.0.0.1:{self.port}",
            "region": "us-east-1",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET,
        }

    def settings(self, **more: str) -> dict[str, str]:
        """Make a gateway's settings: a folder of its own in the one bucket."""
        return {
            "XQUEUE_UPLOAD_STORE": f"s3://uploads/test {next(_numbers)}",
            "XQUEUE_UPLOAD_STORE_OPTIONS": json.dumps(self.options),
            **more,
        }

    def start(self) -> None:
        """Start it and wait until it serves."""
        (self.folder / "data").mkdir(exist_ok=True)
        access = self.folder / "access.json"
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET}]
        access.write_text(json.dumps({"identities": [{"name": "us", "credentials": keys, "actions": ["Admin"]}]}))
        ports = {f"-{part}.port{kind}": free_port() for part in ("master", "volume", "filer") for kind in ("", ".grpc")}
        command = [
            str(Path(sys.executable).with_name("weed")),
            "-logtostderr",
            "server",
            f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=100",
            "-s3",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={free_port()}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-s3.config={access}",
            *(f"{name}={port}" for name, port in ports.items()),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._serves, START_SECONDS, "the S3 server did not start")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait(15)
            self.process = None

    def _serves(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"the S3 server ended by itself:\n{(self.folder / 'server.log').read_text()[-3000:]}")
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False


@contextlib.contextmanager
def running_object_store(folder: Path) -> Iterator[ObjectStoreServer]:
    """Run a server for as long as the block runs."""
    server = ObjectStoreServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
