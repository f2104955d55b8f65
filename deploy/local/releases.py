"""Debian's releases other than this system's: RABBITMQ=debian-13 takes RabbitMQ 4.0 from there.

Standard library only: fetch.py runs it on a bare Python.
"""

import platform
import re

from deploy.local.errors import LocalError

CODENAMES = {"debian-12": "bookworm", "debian-13": "trixie"}
# The archive signs all its releases with keys of one package, which every Debian has.
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def foreign(wanted: str | None) -> str | None:
    """Return the release if one is wanted that this system is not of; refuse one that we don't know."""
    if not wanted:
        return None
    if wanted not in CODENAMES:
        raise LocalError(f"RABBITMQ names a release of Debian, one of {', '.join(CODENAMES)}, not {wanted!r}.")
    return None if wanted == own() else wanted


def own() -> str:
    """Name this system's release, as in debian-12."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}"


def sources_list(wanted: str, uris: str) -> str:
    """Return apt's source of the release: from where this system has its own, as `--print-uris update` says."""
    mine = CODENAMES.get(own(), "")
    found = re.search(rf"'(\S+)/dists/{mine}/InRelease'", uris)
    if not mine or not found:
        raise LocalError(f"Only a Debian, one of {', '.join(CODENAMES)}, knows where {wanted} has its packages.")
    return f"deb [signed-by={KEYRING}] {found[1]} {CODENAMES[wanted]} main\n"
