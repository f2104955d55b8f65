"""What `sha256sum --check SHA256SUMS` reads."""

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in the folder and beneath it."""
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    lines = [f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file.as_posix()}\n" for file in files]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")
