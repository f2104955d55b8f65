"""Random secrets that are made once and kept in the data folder, readable by their owner alone."""

import os
import secrets
from pathlib import Path


def write_private(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as handle:
        handle.write(text)
    fresh.replace(file)


def kept(file: Path, *, mode: int = 0o600) -> str:
    """Return the secret in the file, 32 hex characters; make it if it is not there."""
    try:
        text = file.read_text().strip()
    except FileNotFoundError:
        text = ""
    if not text:
        text = secrets.token_hex(16)
        write_private(file, text, mode)
    return text
