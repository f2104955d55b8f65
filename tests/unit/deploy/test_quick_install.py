"""What uv is told, which installs all that is pinned once pip has installed it."""

import json
import os
import sys
from pathlib import Path

import pytest

from deploy.local.quick_install import pin_of, quick_install, uv_settings

LOCK = """\
uuid==1 \\
    --hash=sha256:aa
uv==0.13.9 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
uvicorn==0.54 \\
    --hash=sha256:dd
"""

# Stands for pip, and puts a uv in place that stands for itself; each writes down what it was told.
PIP = """
import json, pathlib, sys
home = pathlib.Path(__file__).parent
if sys.argv[1] == "config":
    print("global.index-url='https://mirror.example/simple'")
else:
    (home / "pip.json").write_text(json.dumps([sys.argv[1:], pathlib.Path(sys.argv[-1]).read_text()]))
    code = (home / "exit").read_text()
    (home / "uv").write_text(f"#!/bin/sh\\necho $UV_DEFAULT_INDEX $* > {home}/uv.said\\nexit {code}\\n")
    (home / "uv").chmod(0o755)
"""


def test_the_pin_of_a_package_is_its_line_and_its_hashes() -> None:
    assert pin_of("uv", LOCK) == "uv==0.13.9 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    assert pin_of("uuid", LOCK) == "uuid==1 \\\n    --hash=sha256:aa\n"
    assert not pin_of("mypy", LOCK)


def test_uv_is_told_where_pip_looks_for_packages_and_nothing_else() -> None:
    told = """\
:env:.default-timeout='180'
:env:.find-links='/wheels /more'
global.cert='/ca.crt'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.find-links='/old'
global.index-url='https://mirror.example/simple'
install.index-url='https://nearer.example/simple'
"""
    assert uv_settings(told) == {
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/ca.crt",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_DEFAULT_INDEX": "https://nearer.example/simple",
    }


@pytest.fixture
def python(tmp_path: Path) -> Path:
    (tmp_path / "pip").write_text(PIP)
    (tmp_path / "lock.txt").write_text(LOCK)
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    return python


@pytest.mark.parametrize("code", [0, 1])
def test_pip_installs_uv_alone_and_uv_the_rest_from_where_pip_would(
    python: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    folder = python.parent
    (folder / "exit").write_text(str(code))
    lock = folder / "lock.txt"
    assert quick_install(python, [str(folder / "pip")], ["--require-hashes"], lock, print) is (code == 0)
    arguments, uv = json.loads((folder / "pip.json").read_text())
    assert arguments[:2] == ["install", "--require-hashes"]
    assert uv == pin_of("uv", LOCK)
    assert (folder / "uv.said").read_text() == (
        f"https://mirror.example/simple pip install --quiet --python {python} --require-hashes --requirement {lock}\n"
    )


def test_where_uv_is_not_pinned_pip_does_it_all(python: Path) -> None:
    lock = python.with_name("lock.txt")
    lock.write_text("a==1\n")
    assert not quick_install(python, ["no pip"], [], lock, print)
