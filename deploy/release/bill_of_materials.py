"""The software bill of materials: what the services run on, by the hashes that their lock file pins."""

import subprocess
import sys
from pathlib import Path

from deploy.release.errors import ReleaseError

LOCK = "deploy/requirements/run.txt"


def write_bill(tree: Path, file: Path, *, validate: bool = True) -> None:
    """Write it as CycloneDX in JSON, without the time and the random number that would make each another."""
    command = [
        *(sys.executable, "-m", "cyclonedx_py", "requirements", str(tree / LOCK)),
        *("--pyproject", str(tree / "pyproject.toml"), "--mc-type", "application"),
        "--validate" if validate else "--no-validate",
        *("--output-reproducible", "--output-format", "JSON", "--output-file", str(file)),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ReleaseError(f"there is no bill of materials: {ran.stderr.strip()}")
