"""Files that came with submissions: stored under names of our own, and signed links to them that expire."""

import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from broker_setup.errors import StorageError, XQueueError
from broker_setup.process.beside import Turns
from broker_setup.upload_store import UploadStore, file_key
from broker_setup.wire.secret_keys import derived_key

log = logging.getLogger(__name__)

LINK_PATH = "/xqueue/files/"
# What each download holds in memory.
BLOCK_BYTES = 512 * 1024
# Long enough to follow a redirect.
PRESIGNED_SECONDS = 300

# Characters that mean something in a path; the name as it is travels in the signed part.
_NOT_IN_A_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")
_SHOWN_NAME_LENGTH = 100


class BadLinkError(XQueueError):
    """The link was not signed by us, or what it leads to is gone."""


class ExpiredLinkError(XQueueError):
    """The link was good, but is too old."""


@dataclass(frozen=True)
class StoredFile:
    """A file to serve: where it lies, and what the submitter called it as far as that can stand in a path."""

    key: str
    name: str
    size: int


class SubmittedFiles:
    """Keeps files by the submission's uuid; no name from outside ever becomes part of where they lie."""

    def __init__(self, store: UploadStore, secret_keys: Sequence[str], *, link_seconds: int, at_once: int) -> None:
        self._store = store
        self._link_seconds = link_seconds
        self._links = URLSafeTimedSerializer([derived_key(key, "file link") for key in reversed(secret_keys)])
        # Each upload holds parts of its file in memory, so few run at once.
        self._storing = Turns(at_once)

    async def save(self, submission: str, files: Mapping[str, BinaryIO], base_url: str) -> dict[str, str]:
        """Store `files` (name to readable) and return an absolute link for each name; raise StorageError."""
        try:
            for index, file in enumerate(files.values()):
                async with self._storing.turn():
                    await self._store.put(file_key(submission, index), file)
        except StorageError:
            await self.remove(submission, len(files))
            raise
        return {name: self._link(submission, index, name, base_url) for index, name in enumerate(files)}

    async def remove(self, submission: str, count: int) -> None:
        """Remove the files of a submission that was not accepted; what can't be removed is left to `prune-files`."""
        try:
            await self._store.remove([file_key(submission, index) for index in range(count)])
        except StorageError as error:
            log.warning("submission %s was not accepted, but files of it are left: %s", submission, error)

    async def find(self, token: str) -> StoredFile:
        """Return the file that a link's token stands for; raise ExpiredLinkError, BadLinkError or StorageError."""
        try:
            submission, index, name = self._links.loads(token, max_age=self._link_seconds)
        except SignatureExpired as error:
            raise ExpiredLinkError("this link has expired") from error
        except (BadData, ValueError, TypeError) as error:
            raise BadLinkError("no such file") from error
        key = file_key(submission, index)
        size = await self._store.size(key)
        if size is None:
            raise BadLinkError("no such file")
        return StoredFile(key, _shown(name), size)

    async def content(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yield a file in blocks, each fetched when the one before has gone."""
        for start in range(0, file.size, BLOCK_BYTES):
            yield await self._store.read(file.key, start, min(BLOCK_BYTES, file.size - start))

    async def elsewhere(self, file: StoredFile) -> str | None:
        """Return a short-lived URL of the file at the store itself; None where it must come from us."""
        return await self._store.presigned(file.key, PRESIGNED_SECONDS) if self._store.can_presign else None

    def _link(self, submission: str, index: int, name: str, base_url: str) -> str:
        token = self._links.dumps([submission, index, name])
        return f"{base_url}{LINK_PATH}{token}/{quote(_shown(name), safe='')}"


def _shown(name: str) -> str:
    return _NOT_IN_A_PATH.sub("_", name)[-_SHOWN_NAME_LENGTH:].strip(".") or "file"
