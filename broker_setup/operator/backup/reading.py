"""Reads an export's folder: refused as a whole unless it is whole, ours and unchanged."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker_setup.amqp.messages import Message
from broker_setup.errors import ArgumentError
from broker_setup.operator.backup.manifest import (
    MANIFEST,
    ExportedFile,
    Manifest,
    check_secrets,
    check_signature,
    decode_manifest,
)
from broker_setup.operator.backup.records import message_in

# Portions are of so many messages, or of one more than fits so many bytes.
PORTION = 100
PORTION_BYTES = 8 * 1024 * 1024


def read_manifest(folder: Path, secrets: Sequence[str]) -> Manifest:
    """Read the manifest and look at each file; raise ArgumentError, naming what is wrong."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ArgumentError(
            f"{folder} has no {MANIFEST} ({error.strerror}): it is no export, or that of a run that was broken off"
        ) from error
    manifest = decode_manifest(content)
    check_secrets(manifest, secrets)
    check_signature(manifest, secrets)
    for file in manifest.files:
        _check(folder, file)
    return manifest


def portions(folder: Path, file: ExportedFile, start: int) -> Iterator[Sequence[Message]]:
    """Yield the messages of a file from line `start` on (from 0), some at a time."""
    portion: list[Message] = []
    size = 0
    with (folder / file.name).open("rb") as lines:
        for number, line in enumerate(lines):
            if number < start:
                continue
            portion.append(message_in(line))
            size += len(line)
            if len(portion) == PORTION or size > PORTION_BYTES:
                yield portion
                portion, size = [], 0
    if portion:
        yield portion


def _check(folder: Path, file: ExportedFile) -> None:
    try:
        with (folder / file.name).open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ArgumentError(f"{folder / file.name} can't be read: {error.strerror}") from error
    if found != file.sha256:
        raise ArgumentError(
            f"{folder / file.name} is not as it was exported: its SHA-256 is {found}, and was {file.sha256}; take "
            "another copy of the export"
        )
