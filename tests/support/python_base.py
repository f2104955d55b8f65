"""What Python's own image is stood in for where there is no registry: a Debian with Python, from its packages.

Debian 13's, as the image wants an expat without known holes. Packages are unpacked and none is set up, which takes a
quarter of debootstrap's time: there is what runs, and for root, who builds, all that the Dockerfile asks for. Standard
library only, for CI makes it before anything is installed.
"""

import shutil
import subprocess
from pathlib import Path

from deploy.local import lock, packages, releases

RELEASE = "debian-13"
PACKAGES = (
    "base-files",
    "ca-certificates",
    "coreutils",
    "dash",
    "findutils",
    "passwd",
    "python-is-python3",
    "python3-venv",
)
ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
}
# Pages for people, and what only a Python's own tests and its editor read.
UNWANTED = ("usr/share/man", "usr/share/doc", "usr/share/locale", "usr/share/zoneinfo")


def python_base(cache: Path) -> Path:
    """Return the root folder of such a system; make it first if that was not done yet."""
    target = cache / f"python-base-{packages.system(releases.foreign(RELEASE))}"
    cache.mkdir(parents=True, exist_ok=True)
    with lock.held(cache / "python-base.lock", wait=True):
        if not target.exists():
            fresh = cache / "python-base.new"
            shutil.rmtree(fresh, ignore_errors=True)
            _unpack(fresh)
            (fresh / "root").rename(target)
            shutil.rmtree(fresh)
    return target


def _unpack(folder: Path) -> None:
    apt = packages.Apt(folder / "apt", print)
    if release := releases.foreign(RELEASE):
        apt.turn_to(release)
    apt.update()
    files = apt.download(apt.closure(*PACKAGES), folder / "debs")
    root = folder / "root"
    root.mkdir()
    # It says which folders are links into /usr, so it comes first.
    for file in sorted(files, key=lambda file: not file.name.startswith("base-files_")):
        subprocess.run(["dpkg", "-x", str(file), str(root)], check=True)
    for unwanted in UNWANTED:
        shutil.rmtree(root / unwanted, ignore_errors=True)
    bundle = "".join(each.read_text() for each in sorted(root.glob("usr/share/ca-certificates/mozilla/*.crt")))
    (root / "etc/ssl/certs/ca-certificates.crt").write_text(bundle)
    for name, lines in ACCOUNTS.items():
        (root / "etc" / name).write_text(lines)
