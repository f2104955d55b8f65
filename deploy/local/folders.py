"""Which folders RabbitMQ can run in: its scripts know no spaces, and none but ASCII letters.

Standard library only: bootstrap.py asks before it installs anything.
"""

import re
from pathlib import Path

from deploy.local.errors import BootError


def refuse_odd(data: Path, cache: Path) -> None:
    """Raise BootError where a private node could not run with its data here and its packages there."""
    for folder, variable in ((data, "XQUEUE_DATA_DIR"), (cache, "XQUEUE_CACHE_DIR")):
        if not re.fullmatch(r"[!-~]+", str(folder)):
            raise BootError(
                f"RabbitMQ can't run in {folder}: set {variable} to a folder without spaces and non-ASCII letters."
            )
