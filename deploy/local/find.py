"""Decides where RabbitMQ comes from: a given one, an installed one, the system's packages, Docker."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import packages, releases
from deploy.local.errors import NoBrokerError

# Debian's and Red Hat's own place. Their /usr/sbin/rabbitmq-server is a wrapper that insists on root or rabbitmq.
PACKAGED_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

INSTALL_HINT = (
    "No RabbitMQ here and no way to get one: install the package rabbitmq-server (it need not run), or start Docker, "
    "or set XQUEUE_AMQP_URL to the URI of a broker."
)


@dataclass(frozen=True)
class Facts:
    """What is there on this machine."""

    amqp_url: str | None = None
    server: Path | None = None
    release: str | None = None
    apt: bool = False
    docker: bool = False


@dataclass(frozen=True)
class Given:
    """A broker that somebody else runs."""

    amqp_url: str


@dataclass(frozen=True)
class Installed:
    """A private node from an installed rabbitmq-server."""

    server: Path


@dataclass(frozen=True)
class Packages:
    """A private node from packages, unpacked and not installed: the system's, or those of another release of Debian."""

    release: str | None = None


@dataclass(frozen=True)
class Docker:
    """A private node in a container."""


Source = Given | Installed | Packages | Docker


def look(environ: Mapping[str, str]) -> Facts:
    """Gather the facts."""
    return Facts(
        amqp_url=environ.get("XQUEUE_AMQP_URL") or None,
        server=_installed_server(),
        release=releases.foreign(environ.get("RABBITMQ")),
        apt=packages.available(),
        docker=_docker_answers(),
    )


def sources(facts: Facts) -> list[Source]:
    """Return what to try, best first; a given broker is never replaced by another."""
    if facts.amqp_url:
        return [Given(facts.amqp_url)]
    if facts.release:  # wanted for its version, for which no other will do
        return [Packages(facts.release)]
    found: list[Source] = []
    if facts.server:
        found.append(Installed(facts.server))
    if facts.apt:
        found.append(Packages())
    if facts.docker:
        found.append(Docker())
    if not found:
        raise NoBrokerError(INSTALL_HINT)
    return found


def of_our_own(environ: Mapping[str, str]) -> list[Source]:
    """Return what to try for a node that we run ourselves, whatever broker is given."""
    return sources(look({name: value for name, value in environ.items() if name == "RABBITMQ"}))


def _installed_server() -> Path | None:
    if PACKAGED_SERVER.exists():
        return PACKAGED_SERVER
    elsewhere = shutil.which("rabbitmq-server")
    return Path(elsewhere) if elsewhere else None


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:  # the client is often there without an engine
        asked = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())
