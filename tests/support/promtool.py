"""Prometheus's own tool, which tells whether it would take what we have for it."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.local.programs import program
from tests.support.broker import CACHE

SECONDS = 120


def promtool(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool, as in `promtool("check", "metrics", given=page)`; what it says stands in stdout and stderr."""
    found = program("promtool", CACHE, lambda line: print(line, file=sys.stderr))
    return subprocess.run(
        [found.path, *arguments],
        env={**os.environ, "GOGC": "400", **found.env},  # it collects garbage for a quarter of its time
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
