"""What every service says to `--help` and `--version`; it takes no other arguments."""

import argparse
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "xqueue-rabbitmq"
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def our_version() -> str:
    """Return the version that is installed, or that of the source tree where none is."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])


def answer_options(program: str, purpose: str) -> None:
    """Answer `--help` and `--version`, and refuse what else is given; all three end the process."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=purpose,
        epilog="It takes no arguments. Its settings stand in the YAML file that XQUEUE_CFG names, and in the "
        "environment as XQUEUE_<KEY>, which wins: docs/reference/settings.md has them all. SIGTERM stops it.",
    )
    parser.add_argument("--version", action="version", version=f"{program} {our_version()}")
    parser.parse_args()
