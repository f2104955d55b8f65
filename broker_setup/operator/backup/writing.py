"""Writes an export's folder: whole under its name, or not there; until then it is NAME.unfinished."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from broker_setup.errors import ArgumentError, StorageError
from broker_setup.operator.backup.manifest import MANIFEST, ExportedFile, Manifest, encode_manifest

UNFINISHED = ".unfinished"
# Students' work is in it.
_OURS_ALONE = 0o700


class LinesFile:
    """A file that grows by lines, and knows its own sum."""

    def __init__(self, path: Path, queue: str) -> None:
        self._file = path.open("xb")
        self._sum = hashlib.sha256()
        self._name = path.name
        self._queue = queue
        self._bytes = 0
        self.lines = 0

    def add(self, line: bytes) -> int:
        """Write a line; return its number, from 0."""
        self._file.write(line)
        self._sum.update(line)
        self._bytes += len(line)
        self.lines += 1
        return self.lines - 1

    def close(self) -> ExportedFile:
        """Have all of it on the disk; return what the manifest says of it."""
        _sync(self._file)
        self._file.close()
        return ExportedFile(self._name, self._queue, self.lines, self._bytes, self._sum.hexdigest())

    def abandon(self) -> None:
        """Let it go, whatever is not on the disk yet."""
        with suppress(OSError):
            self._file.close()


class ExportFolder:
    """A folder that is being written; of each queue all that was met first, and in the end what of it counts."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f"{target.name}{UNFINISHED}")
        self._met: dict[str, LinesFile] = {}
        self._opened: list[LinesFile] = []
        self.ledger: LinesFile

    @contextmanager
    def writing(self, ledger: str) -> Iterator[None]:
        """Make it, to be finished in this block, or removed at its end; `ledger` is the queue of the first file.

        Raise ArgumentError where there is something already, StorageError where it can't be written.
        """
        if self._target.exists():
            raise ArgumentError(f"{self._target} is there: an export makes its folder itself, name one that is not")
        try:
            # What a run left that was killed.
            shutil.rmtree(self._path, ignore_errors=True)
            self._path.mkdir(_OURS_ALONE, parents=True)
            self.ledger = self._open("ledger.jsonl", ledger)
            yield
        except OSError as error:
            raise StorageError(f"the export could not be written: {error}") from error
        finally:
            for file in self._opened:
                file.abandon()
            shutil.rmtree(self._path, ignore_errors=True)

    def _open(self, name: str, queue: str) -> LinesFile:
        file = LinesFile(self._path / name, queue)
        self._opened.append(file)
        return file

    def add(self, queue: str, line: bytes) -> int:
        """Keep a message that was met in a queue; return the number of its line."""
        file = self._met.get(queue)
        if file is None:
            file = self._met[queue] = self._open(f"{len(self._met):04}.met", queue)
        return file.add(line)

    def write(self, name: str, content: bytes) -> ExportedFile:
        """Write a whole file, of no queue."""
        with (self._path / name).open("xb") as file:
            file.write(content)
            _sync(file)
        return ExportedFile(name, "", 0, len(content), hashlib.sha256(content).hexdigest())

    def choose(self, lines: Mapping[str, set[int]]) -> list[ExportedFile]:
        """Write the lines that count into the files that stay."""
        files = []
        for number, (queue, met) in enumerate(self._met.items()):
            met.close()
            source = self._path / f"{number:04}.met"
            if kept := lines.get(queue):
                chosen = self._open(f"{number:04}.jsonl", queue)
                with source.open("rb") as content:
                    for index, line in enumerate(content):
                        if index in kept:
                            chosen.add(line)
                files.append(chosen.close())
            source.unlink()
        return files

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest last, and give the folder its name."""
        self.write(MANIFEST, encode_manifest(manifest))
        _sync_folder(self._path)
        self._path.rename(self._target)
        _sync_folder(self._target.parent)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
