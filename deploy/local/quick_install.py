"""Installs pinned packages with uv, where it is one of them: in seconds, for which pip takes a minute of a core.

Where that fails for any reason, pip is still there. Standard library only: see bootstrap.py.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.running import run_saying

# What pip is told of where packages come from; hashes are pinned, so it does not matter which place has one first.
_TOLD = re.compile(r"^([^.]+)\.(index-url|extra-index-url|find-links|cert)='(.*)'$", re.MULTILINE)
_UVS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}
# Short, as there is another way.
_PATIENCE = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "2", "UV_INDEX_STRATEGY": "unsafe-best-match"}


def quick_install(python: Path, pip: list[str], options: list[str], lock: Path, say: Callable[[str], None]) -> bool:
    """Install what the lock file pins; return whether that was done."""
    uv = pin_of("uv", lock.read_text())
    if not uv:
        return False
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder, "uv.txt")
        alone.write_text(uv)
        install = [str(python), *pip, "install", *options, "--no-deps", "--requirement", str(alone)]
        if run_saying(install, "installing uv", say).returncode:
            return False
    told = subprocess.run([str(python), *pip, "config", "list"], capture_output=True, text=True, check=False).stdout
    command = [str(python.with_name("uv")), "pip", "install", "--quiet", "--python", str(python)]
    environment: Mapping[str, str] = _PATIENCE | uv_settings(told) | os.environ
    install = [*command, "--require-hashes", "--requirement", str(lock)]
    return run_saying(install, "installing", say, environment=environment).returncode == 0


def pin_of(package: str, lock: str) -> str:
    """Return the lines of a lock file that pin a package, with its hashes; none if it does not."""
    found = re.search(rf"^{re.escape(package)}==(?:.*\\\n)*.*\n", lock, re.MULTILINE)
    return found[0] if found else ""


def uv_settings(told: str) -> dict[str, str]:
    """Return what `pip config list` prints of where packages come from, as environment variables of uv's.

    What stands last counts, and pip's own variables before all, as with pip.
    """
    settings: dict[str, str] = {}
    for _, key, value in sorted(_TOLD.findall(told), key=lambda found: found[0] == ":env:"):
        settings[_UVS[key]] = re.sub(r"\s+|\\n", "," if key == "find-links" else " ", value)
    return settings
