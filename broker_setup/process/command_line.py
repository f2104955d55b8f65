"""What every service says to `--help` and `--version`; it takes no other arguments."""

import argparse
import textwrap
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from broker_setup.process.setting_names import settings_read_by

DISTRIBUTION = "xqueue-rabbitmq"
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_COLUMNS = 100


def our_version() -> str:
    """Return the version that is installed, or that of the source tree where none is."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return str(tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"])


def answer_options(program: str, purpose: str) -> None:
    """Answer `--help` and `--version`, and refuse what else is given; all three end the process.

    To be called before anything is imported that takes time: whoever asks should not wait for a server.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=purpose,
        epilog=f"It takes no arguments. SIGTERM stops it.\n\n{_about_settings(program)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{program} {our_version()}")
    parser.parse_args()


def _about_settings(program: str) -> str:
    about = textwrap.fill(
        "Its settings stand in the YAML file that XQUEUE_CFG names, and in the environment as XQUEUE_<KEY>, which "
        "wins; docs/reference/settings.md says what each is:",
        _COLUMNS,
    )
    names = textwrap.fill(", ".join(settings_read_by(program)), _COLUMNS, initial_indent="  ", subsequent_indent="  ")
    return f"{about}\n{names}"
