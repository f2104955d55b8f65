"""Unpacking the system's packages, with an apt and a dpkg that only pretend."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.errors import NoBrokerError
from deploy.local.find import Docker, Packages
from deploy.local.packages import PackageError, unpacked
from deploy.local.runtime import Container, _relocate, prepare

APT = """#!/bin/sh
# apt-get -c CONF -qq update | --simulate ... install NAME | download NAME...
shift 3
case "$1" in
  update) echo updated >> "$LOG";;
  --simulate) for name in libc6 erlang-base libodd1 server; do echo "Inst $name (1.0 Debian:12 [all])"; done;;
  download) shift; for name in "$@"; do echo "$name" > "$name.deb"; done; echo "download $*" >> "$LOG";;
esac
"""
DPKG = '#!/bin/sh\ncat "$2" >> "$3/unpacked"\n'
DPKG_QUERY = '#!/bin/sh\ncase "$4" in libodd1) exit 1;; *) printf installed;; esac\n'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the pretenders on PATH; return what they write down."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("apt-get", APT), ("dpkg", DPKG), ("dpkg-query", DPKG_QUERY)):
        (tools / name).write_text(text)
        (tools / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def unpack(cache: Path, name: str = "server") -> Path:
    return unpacked(name, cache, lambda package: package.startswith("erlang-"), lambda _: None)


def test_takes_the_package_what_is_wanted_and_what_the_system_lacks(tmp_path: Path, log: Path) -> None:
    root = unpack(tmp_path / "cache")
    assert (root / "unpacked").read_text().split() == ["erlang-base", "libodd1", "server"]


def test_does_nothing_the_second_time(tmp_path: Path, log: Path) -> None:
    first = unpack(tmp_path / "cache")
    assert unpack(tmp_path / "cache") == first
    assert log.read_text().splitlines() == ["updated", "download erlang-base libodd1 server"]


def test_leaves_nothing_half_done_behind_a_failure(tmp_path: Path, log: Path) -> None:
    (tmp_path / "tools/dpkg").write_text("#!/bin/sh\necho disk full >&2; exit 1\n")
    with pytest.raises(PackageError, match="dpkg failed: disk full"):
        unpack(tmp_path / "cache")
    (tmp_path / "tools/dpkg").write_text(DPKG)
    assert (unpack(tmp_path / "cache") / "unpacked").exists()


def test_a_package_that_no_source_has_is_named(tmp_path: Path, log: Path) -> None:
    with pytest.raises(PackageError, match="apt knows no package nonesuch"):
        unpack(tmp_path / "cache", "nonesuch")


def test_packages_that_cannot_be_had_give_way_to_docker(tmp_path: Path, log: Path) -> None:
    (tmp_path / "tools/apt-get").write_text("#!/bin/sh\nexit 100\n")
    said: list[str] = []
    assert isinstance(prepare([Packages(), Docker()], tmp_path / "cache", said.append), Container)
    assert any("apt knows no package rabbitmq-server" in line for line in said)
    with pytest.raises(NoBrokerError, match="install the package rabbitmq-server"):
        prepare([Packages()], tmp_path / "cache", said.append)


def test_debians_erl_finds_its_erlang_beside_itself_wherever_it_was_unpacked(tmp_path: Path) -> None:
    erl = tmp_path / "with space/lib/erlang/bin/erl"
    erl.parent.mkdir(parents=True)
    erl.write_text('#!/bin/sh\nif true\nthen\n    ROOTDIR=/usr/lib/erlang\nfi\nexport ROOTDIR\necho "$ROOTDIR"\n')
    erl.chmod(0o755)
    for _ in range(2):
        _relocate(erl)
        printed = subprocess.run([str(erl)], capture_output=True, text=True, check=True).stdout
        assert Path(printed.strip()) == erl.parents[1].resolve()


def test_an_unpacked_folder_is_named_after_the_system_it_was_made_for() -> None:
    assert len(packages.system().split("-")) >= 3


def test_of_another_release_it_takes_everything_for_nothing_of_the_system_will_do(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages.Apt, "turn_to", lambda _, release: log.write_text(f"turned to {release}\n"))
    root = unpacked("server", tmp_path / "cache", lambda _: False, lambda _: None, release="debian-13")
    assert (root / "unpacked").read_text().split() == ["erlang-base", "libc6", "libodd1", "server"]
    assert log.read_text().splitlines()[:2] == ["turned to debian-13", "updated"]
    assert "debian-13-on-" in root.name
