"""A real Prometheus that scrapes what a test tells it, by the configuration and the rules of deploy/monitoring."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy.local.programs import program
from tests.support.broker import CACHE
from tests.support.gateway import wait_until
from tests.support.ports import free_port
from tests.support.project import ROOT

CONFIGURATION = ROOT / "deploy/monitoring/prometheus.yml"
START_SECONDS = 90.0


@dataclass(frozen=True)
class Prometheus:
    """One that runs; `ask` it as Grafana does."""

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        said = answer.json()
        assert said["status"] == "success", said
        return said["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]


@contextlib.contextmanager
def running_prometheus(targets: Mapping[str, Sequence[str]], folder: Path) -> Iterator[Prometheus]:
    """Run one with the project's configuration, in which only addresses and times are others; `targets` of each job."""
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(CONFIGURATION.parent / name) for name in configuration["rule_files"]]
    for job in configuration["scrape_configs"]:
        job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    found = program("prometheus", CACHE, lambda line: print(line, file=sys.stderr))
    address = f"127.0.0.1:{free_port()}"
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                found.path,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            env={**os.environ, **found.env},
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    prometheus = Prometheus(f"http://{address}")
    try:
        wait_until(lambda: _is_ready(prometheus, process, log), START_SECONDS, "Prometheus does not become ready")
        yield prometheus
    finally:
        process.kill()
        process.wait()


def _is_ready(prometheus: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with contextlib.suppress(requests.ConnectionError), requests.Session() as session:
        session.trust_env = False
        return session.get(f"{prometheus.url}/-/ready", timeout=5).ok
    return False
