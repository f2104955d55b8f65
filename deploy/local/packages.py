"""Debian's and Ubuntu's packages, downloaded and unpacked into a folder: no root, nothing installed.

Apt is given lists, a cache and a state of its own, so that the system's stay as they are; the system's sources and keys
say what is fetched from where and whether it is genuine. Standard library only: bootstrap.py runs it on a bare Python.
"""

import platform
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local import lock, releases
from deploy.local.errors import LocalError
from deploy.local.running import run_saying

Say = Callable[[str], None]

# An apt configuration is read last, so it wins over the system's. #clear keeps the system's hooks from running on ours.
APT_CONF = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Log "{folder}";
// Root would download as the user _apt, who can't look into our folder; signatures are checked all the same.
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class PackageError(LocalError):
    """Packages could not be had."""


def available() -> bool:
    """Tell whether this is a system with apt and dpkg."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def unpacked(
    name: str,
    cache: Path,
    wanted: Callable[[str], bool],
    say: Say,
    *,
    release: str | None = None,
    beside: Sequence[str] = (),
) -> Path:
    """Return the folder with a package, and what it depends on, unpacked; fill it first if that was not done yet.

    Others can lie `beside` it in the same folder, so that the system's lists are read once for all.

    Of the dependencies it takes those that are `wanted` or that the system lacks; all of a release of Debian that the
    system is not of, if one is named.
    """
    target = cache / f"{name}-{system(release)}"
    with lock.held(cache / f"{name}.lock", wait=True):
        if target.exists():
            return target
        whose = release or "the system"
        say(f"{name}: downloading {whose}'s packages and unpacking them into {cache} (nothing is installed)")
        fresh = cache / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        apt = Apt(fresh / "apt", say)
        if release:
            apt.turn_to(release)
        apt.update()
        named = (name, *beside)
        all_of_them = dict.fromkeys(package for each in named for package in apt.closure(each))
        needed = [p for p in all_of_them if release or p in named or wanted(p) or not _installed(p)]
        files = apt.download(needed, fresh / "debs")
        root = fresh / "root"
        root.mkdir()
        for file in files:
            _run(["dpkg", "-x", str(file), str(root)])
        root.rename(target)
        shutil.rmtree(fresh)
        say(f"{name}: unpacked {len(files)} packages")
    return target


def system(release: str | None = None) -> str:
    """Name what the packages were made for, such as debian-12-x86_64: an unpacked folder serves no other system."""
    # With its own C library beside it, it is not the folder that a system of that release has.
    made_for = f"{release}-on-{releases.own()}" if release else releases.own()
    return f"{made_for}-{platform.machine()}"


class Apt:
    """Apt with everything that it writes kept in one folder."""

    def __init__(self, folder: Path, say: Say) -> None:
        """Lay out the folder."""
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True)
        # Nothing counts as installed: that makes the answer depend on the sources alone, not on a broken dpkg state.
        (folder / "status").touch()
        self._folder = folder.resolve()
        self._say = say
        conf = self._folder / "apt.conf"
        conf.write_text(APT_CONF.format(folder=self._folder))
        self._apt = ["apt-get", "-c", str(conf), "-qq"]

    def turn_to(self, release: str) -> None:
        """Take packages of this release of Debian, and of no other source."""
        uris = subprocess.run(
            [*self._apt, "-q=0", "--print-uris", "update"], capture_output=True, text=True, check=False
        )
        source = self._folder / "sources.list"
        source.write_text(releases.sources_list(release, uris.stdout))
        self._apt += ["-o", f"Dir::Etc::SourceList={source}", "-o", "Dir::Etc::SourceParts=/dev/null"]

    def update(self) -> None:
        """Fetch the package lists; an unreachable source is no matter unless a package is missing, as shows later."""
        self._update = run_saying([*self._apt, "update"], "fetching the lists of packages", self._say)

    def closure(self, *names: str) -> list[str]:
        """Return the packages and all that they depend on."""
        plan = subprocess.run(
            [*self._apt, "--simulate", "--no-install-recommends", "install", *names],
            capture_output=True,
            text=True,
            check=False,
        )
        found = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
        if missing := ", ".join(name for name in names if name not in found):
            raise PackageError(
                f"apt knows no package {missing}: {_last_line(self._update.output + plan.stderr)}. "
                f"Is the network there, and has the system a package source with {missing}?"
            )
        return found

    def download(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Download the packages' files into the folder."""
        folder.mkdir()
        done = run_saying([*self._apt, "download", *names], "downloading packages", self._say, cwd=folder)
        if done.returncode:
            raise PackageError(f"apt-get failed: {_last_line(done.output)}")
        return sorted(folder.glob("*.deb"))


def _installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{' '.join(command[:1])} failed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it gave no reason"
