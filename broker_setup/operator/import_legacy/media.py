"""Copies the files of old submissions from where the original kept them into our store, and makes links to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from broker_setup.errors import ArgumentError, StorageError
from broker_setup.upload_store import UploadStore, file_key
from broker_setup.wire.file_links import FileLinks

# Of a file that is copied; a larger one goes by way of the disk.
IN_MEMORY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Moved:
    """A link for each name, those that are `missing` with the one that they had, if any."""

    links: Mapping[str, str]
    missing: Sequence[str]


class Media:
    """MEDIA_ROOT of the original: a folder, or a bucket as `s3://bucket/prefix` with AWS_* in the environment."""

    def __init__(self, where: str, store: UploadStore, links: FileLinks, base_url: str) -> None:
        """Copy to `store`; raise ArgumentError where there is no such folder."""
        self._store = store
        self._links = links
        self._base_url = base_url
        if urlsplit(where).scheme in {"", "file"}:
            folder = Path(urlsplit(where).path)
            if not folder.is_dir():
                raise ArgumentError(f"--media {where}: there is no such folder")
            self._source: Any = LocalStore(folder)
        else:
            try:
                self._source = from_url(where)
            except (BaseError, ValueError) as error:
                raise ArgumentError(f"--media {where}: {str(error).splitlines()[0]}") from None

    async def moved(self, submission: str, keys: Mapping[str, str], urls: Mapping[str, str]) -> Moved:
        """Copy the files of a submission, named with their keys and the links that they had.

        Raise StorageError where our store does not take a file, or theirs fails.
        """
        links, missing = dict(urls), []
        for index, (name, key) in enumerate(keys.items()):
            with SpooledTemporaryFile(IN_MEMORY_BYTES) as copy:
                if not await self._fetched(key, copy):
                    missing.append(name)
                    continue
                await self._store.put(file_key(submission, index), copy)
            links[name] = self._links.link(submission, index, name, self._base_url)
        return Moved(links, missing)

    async def _fetched(self, key: str, copy: IO[bytes]) -> bool:
        try:
            found = await obstore.get_async(self._source, key)
            async for chunk in found.stream():
                copy.write(chunk)
        except (FileNotFoundError, ValueError):  # ValueError: what is no key of any store, such as ../x
            return False
        except (BaseError, OSError) as error:
            raise StorageError(f"can't read {key!r} of --media: {str(error).splitlines()[0]}") from None
        copy.seek(0)
        return True
