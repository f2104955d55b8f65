"""Gets the proxies that tests run in front of gateways: `python3 -m deploy.local.proxies`, or when one is needed.

An installed one is taken, else all are unpacked from the system's packages; none is installed, and no service started.
Standard library only, for CI runs it before anything is installed.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import packages
from deploy.local.errors import LocalError
from deploy.local.packages import Say
from deploy.local.runtime import libraries_in

NAMES = ("haproxy", "nginx", "caddy")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Program:
    """A program, and what its environment has to have."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)


def program(name: str, cache: Path, say: Say) -> Program:
    """Return one of NAMES; raise LocalError where it is not to be had."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    if installed := shutil.which(name, path=places):
        return Program(Path(installed))
    if not packages.available():
        raise LocalError(f"No {name} here and no way to get one: install it (it need not run).")
    root = packages.unpacked(NAMES[0], cache, lambda _: False, say, beside=NAMES[1:])
    [found] = [path for path in (root / "usr/sbin" / name, root / "usr/bin" / name) if path.exists()]
    libraries = libraries_in(root)
    return Program(found, {"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {})


def main() -> None:
    """Have them all ready; where one is not to be had, who needs it will say so."""
    cache = Path(os.environ.get("XQUEUE_CACHE_DIR") or ROOT / ".local/cache").resolve()
    try:
        for name in NAMES:
            program(name, cache, lambda line: print(line, file=sys.stderr, flush=True))
    except (LocalError, OSError) as error:
        sys.exit(f"proxies: {error}")


if __name__ == "__main__":
    main()
