"""Programs of another release of Debian, started with the C library that was unpacked with them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.errors import LocalError
from deploy.local.own_libc import wrap


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An unpacked folder; its loader only says what it was told, and one more program is a script as it was."""
    programs, libraries = tmp_path / "root/usr/lib/erlang/erts-1/bin", tmp_path / "root/usr/lib/any-linux-gnu"
    programs.mkdir(parents=True)
    libraries.mkdir()
    (programs / "beam").write_bytes(b"\x7fELF and so on")
    (programs / "start").write_text("#!/bin/sh\necho started\n")
    (libraries / "libc.so.6").touch()
    (libraries / "ld-linux-any.so.2").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    for file in (programs / "beam", programs / "start", libraries / "ld-linux-any.so.2"):
        file.chmod(0o755)
    return tmp_path / "root"


def told(root: Path) -> list[str]:
    program = root / "usr/lib/erlang/erts-1/bin/beam"
    return subprocess.run([program, "-a", "b c"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_program_is_started_by_the_loader_beside_it_with_all_its_arguments(root: Path) -> None:
    for _ in range(2):
        wrap(root / "usr/lib/erlang", root)
        option, libraries, named, name, program, *arguments = told(root)
        assert (option, named) == ("--library-path", "--argv0")
        assert Path(libraries).resolve() == root / "usr/lib/any-linux-gnu"
        assert name == str(root / "usr/lib/erlang/erts-1/bin/beam")
        assert Path(program).read_bytes().startswith(b"\x7fELF")
        assert arguments == ["-a", "b c"]


def test_a_script_stays_as_it_is(root: Path) -> None:
    wrap(root / "usr/lib/erlang", root)
    assert (root / "usr/lib/erlang/erts-1/bin/start").read_text() == "#!/bin/sh\necho started\n"


def test_the_folder_may_be_copied(root: Path, tmp_path: Path) -> None:
    wrap(root / "usr/lib/erlang", root)
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(root)
    assert Path(told(tmp_path / "copy")[1]).resolve() == tmp_path / "copy/usr/lib/any-linux-gnu"


def test_a_folder_without_a_c_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="holds no C library"):
        wrap(tmp_path, tmp_path)
