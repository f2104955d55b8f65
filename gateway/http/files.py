"""Files that came with submissions: stored under names of our own, and signed links to them that expire."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from broker_setup.errors import StorageError
from broker_setup.process.beside import Turns
from broker_setup.upload_store import UploadStore, file_key
from broker_setup.wire.file_links import BadLinkError, FileLinks, shown_name

log = logging.getLogger(__name__)

# What each download holds in memory.
BLOCK_BYTES = 512 * 1024
# Long enough to follow a redirect.
PRESIGNED_SECONDS = 300


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
        self._links = FileLinks(secret_keys, seconds=link_seconds)
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
        return {name: self._links.link(submission, index, name, base_url) for index, name in enumerate(files)}

    async def remove(self, submission: str, count: int) -> None:
        """Remove the files of a submission that was not accepted; what can't be removed is left to `prune-files`."""
        try:
            await self._store.remove([file_key(submission, index) for index in range(count)])
        except StorageError as error:
            log.warning("submission %s was not accepted, but files of it are left: %s", submission, error)

    async def find(self, token: str) -> StoredFile:
        """Return the file that a link's token stands for; raise ExpiredLinkError, BadLinkError or StorageError."""
        submission, index, name = self._links.read(token)
        key = file_key(submission, index)
        size = await self._store.size(key)
        if size is None:
            raise BadLinkError("no such file")
        return StoredFile(key, shown_name(name), size)

    async def content(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yield a file in blocks, each fetched when the one before has gone."""
        for start in range(0, file.size, BLOCK_BYTES):
            yield await self._store.read(file.key, start, min(BLOCK_BYTES, file.size - start))

    async def elsewhere(self, file: StoredFile) -> str | None:
        """Return a short-lived URL of the file at the store itself; None where it must come from us."""
        return await self._store.presigned(file.key, PRESIGNED_SECONDS) if self._store.can_presign else None
