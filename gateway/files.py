"""Files that came with submissions: a local folder, and signed links that expire."""

import asyncio
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from broker_setup.errors import XQueueError
from broker_setup.secret_keys import derived_key

LINK_PATH = "/xqueue/files/"

# What would mean something in a path; the name proper travels in the signed part.
_NOT_IN_A_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")
_SHOWN_NAME_LENGTH = 100


class StorageError(XQueueError):
    """The files could not be stored."""


class BadLinkError(XQueueError):
    """The link was not signed by us, or what it leads to is gone."""


class ExpiredLinkError(XQueueError):
    """The link was good, but is too old."""


@dataclass(frozen=True)
class StoredFile:
    """A file to serve: where it lies, and what the submitter called it as far as that can stand in a path."""

    path: Path
    name: str


class FileStore:
    """Keeps files under `root`, by the submission's uuid; no name from outside ever becomes part of a path."""

    def __init__(self, root: Path, secret_keys: Sequence[str], *, link_seconds: int) -> None:
        self._root = root
        self._link_seconds = link_seconds
        self._links = URLSafeTimedSerializer([derived_key(key, "file link") for key in reversed(secret_keys)])

    async def save(self, submission: str, files: Mapping[str, BinaryIO], base_url: str) -> dict[str, str]:
        """Store `files` (name to readable) and return an absolute link for each name; raise StorageError."""
        if not files:
            return {}
        try:
            await asyncio.to_thread(self._write, submission, list(files.values()))
        except OSError as error:
            await self.remove(submission)
            raise StorageError(f"the files can't be stored: {error.strerror}") from error
        return {name: self._link(submission, index, name, base_url) for index, name in enumerate(files)}

    async def remove(self, submission: str) -> None:
        """Remove the files of a submission that was not accepted."""
        await asyncio.to_thread(shutil.rmtree, self._folder(submission), ignore_errors=True)

    def find(self, token: str) -> StoredFile:
        """Return the file that a link's token stands for; raise ExpiredLinkError or BadLinkError."""
        try:
            submission, index, name = self._links.loads(token, max_age=self._link_seconds)
        except SignatureExpired as error:
            raise ExpiredLinkError("this link has expired") from error
        except (BadData, ValueError, TypeError) as error:
            raise BadLinkError("no such file") from error
        path = self._folder(submission) / str(index)
        if not path.is_file():
            raise BadLinkError("no such file")
        return StoredFile(path, _shown(name))

    def _write(self, submission: str, files: Sequence[BinaryIO]) -> None:
        folder = self._folder(submission)
        folder.mkdir(parents=True)
        for index, file in enumerate(files):
            with (folder / str(index)).open("wb") as stored:
                shutil.copyfileobj(file, stored, 1024 * 1024)
                stored.flush()
                os.fsync(stored.fileno())

    def _folder(self, submission: str) -> Path:
        # Two levels, so that no folder holds a million.
        return self._root / submission[:2] / submission

    def _link(self, submission: str, index: int, name: str, base_url: str) -> str:
        token = self._links.dumps([submission, index, name])
        return f"{base_url}{LINK_PATH}{token}/{quote(_shown(name), safe='')}"


def _shown(name: str) -> str:
    return _NOT_IN_A_PATH.sub("_", name)[-_SHOWN_NAME_LENGTH:].strip(".") or "file"
