"""Gets the programs that tests run beside us, from proxies to a jail: `python3 -m deploy.local.programs`.

Or when one is needed. An installed one is taken, else all are unpacked from the system's packages; none is installed,
and no service started. Standard library only, for CI runs it before anything is installed.
"""

import itertools
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

# Those that a package has, by its name. The first names the folder with them all: put a new one there, for folders of
# before lack it.
PACKAGES = {
    "bubblewrap": ("bwrap",),
    "mariadb-server-core": ("mariadbd",),
    "prometheus": ("prometheus", "promtool"),
    "haproxy": ("haproxy",),
    "nginx": ("nginx",),
    "caddy": ("caddy",),
}
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Program:
    """A program, and what its environment has to have."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)


def program(name: str, cache: Path, say: Say) -> Program:
    """Return one of those in PACKAGES; raise LocalError where it is not to be had."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    if installed := shutil.which(name, path=places):
        return Program(Path(installed))
    if not packages.available():
        raise LocalError(f"No {name} here and no way to get one: install it (it need not run).")
    first, *others = PACKAGES
    root = packages.unpacked(first, cache, lambda _: False, say, beside=others)
    [found] = [path for path in (root / "usr/sbin" / name, root / "usr/bin" / name) if path.exists()]
    libraries = libraries_in(root)
    return Program(found, {"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {})


def main() -> None:
    """Have them all ready; where one is not to be had, who needs it will say so."""
    cache = Path(os.environ.get("XQUEUE_CACHE_DIR") or ROOT / ".local/cache").resolve()
    try:
        for name in itertools.chain.from_iterable(PACKAGES.values()):
            program(name, cache, lambda line: print(line, file=sys.stderr, flush=True))
    except (LocalError, OSError) as error:
        sys.exit(f"programs for tests: {error}")


if __name__ == "__main__":
    main()
