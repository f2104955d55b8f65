"""How to run RabbitMQ's server from each place that it can come from."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import own_libc, packages
from deploy.local.errors import LocalError, NoBrokerError
from deploy.local.find import INSTALL_HINT, Docker, Given, Installed, Packages, Source
from deploy.local.packages import Say


@dataclass(frozen=True)
class Runtime:
    """A server and its Erlang on this machine."""

    server: Path
    epmd: Path
    env: dict[str, str] = field(default_factory=dict)
    origin: str = "installed"


@dataclass(frozen=True)
class Container:
    """A server in a container image."""

    image: str = "rabbitmq:4.3.3-management"
    origin: str = "Docker"


def prepare(found: Sequence[Source], cache: Path, say: Say) -> Runtime | Container:
    """Return the first that can be had, unpacking it where that is needed."""
    reasons: list[str] = []
    for source in found:
        try:
            match source:
                case Installed(server):
                    return _installed(server)
                case Docker():
                    return Container()
                case Given():
                    raise ValueError("a given broker is not run by us")
                case Packages(release):
                    return _unpacked(cache, say, release)
        except LocalError as error:
            reasons.append(str(error))
            say(str(error))
    raise NoBrokerError(" ".join([INSTALL_HINT, *reasons]))


def _installed(server: Path) -> Runtime:
    epmd = shutil.which("epmd")
    if epmd is None and (erl := shutil.which("erl")):
        asked = subprocess.run(
            [erl, "-noinput", "-boot", "start_clean", "-eval", 'io:format("~s", [code:root_dir()]), halt().'],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        epmd = str(_only(Path(asked.stdout), "erts-*/bin/epmd"))
    if epmd is None:
        raise NoBrokerError(f"{server} is there but its Erlang is not: put the folder with `erl` on PATH.")
    return Runtime(server, Path(epmd))


def _unpacked(cache: Path, say: Say, release: str | None) -> Runtime:
    root = packages.unpacked("rabbitmq-server", cache, lambda name: name.startswith("erlang-"), say, release=release)
    erlang = root / "usr/lib/erlang"
    epmd = _only(erlang, "erts-*/bin/epmd")
    _relocate(erlang / "bin/erl")
    env = {"PATH": os.pathsep.join([str(erlang / "bin"), os.environ.get("PATH", os.defpath)])}
    if release:
        own_libc.wrap(erlang, root)
    elif libraries := libraries_in(root):
        env["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    return Runtime(
        server=_only(root, "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"),
        epmd=epmd,
        env=env,
        origin=f"{release or 'the system'}'s packages, unpacked",
    )


def libraries_in(root: Path) -> list[str]:
    """Return where the libraries are that the system lacks; the rest are the system's own."""
    folders = {str(file.parent) for part in ("lib", "usr/lib") for file in (root / part).rglob("lib*.so*")}
    return sorted(folder for folder in folders if "/erlang/" not in folder)


def _relocate(erl: Path) -> None:
    """Make Debian's `erl` find its Erlang beside itself: it names /usr/lib/erlang and ignores ERL_ROOTDIR."""
    text = erl.read_text()
    beside = 'ROOTDIR="$(cd "$(dirname "$0")/.." && pwd -P)"'
    moved = "\n".join(
        line.replace(line.strip(), beside) if line.strip().startswith("ROOTDIR=") else line for line in text.split("\n")
    )
    if moved != text:
        fresh = erl.with_name(f"erl.{os.getpid()}")
        fresh.write_text(moved)
        fresh.chmod(0o755)
        fresh.replace(erl)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise LocalError(f"{folder} holds no {pattern}: delete that folder and try again.")
    return found[-1]
