"""Copies the files of old submissions from where the original kept them into our store, and makes links to them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from broker_setup.errors import ArgumentError, StorageError
from broker_setup.operator.import_legacy.fates import names_in
from broker_setup.operator.import_legacy.row import Row
from broker_setup.upload_store import UploadStore, file_key
from broker_setup.wire.file_links import FileLinks

# Of a file that is copied; a larger one goes by way of the disk.
IN_MEMORY_BYTES = 8 * 1024 * 1024
# Lists that did not fit the table's 1,024 characters lie in a file of their own, under the key that this names.
ELSEWHERE = "KEY_FOR_EXTERNAL_DICTS"
MOST_OF_A_LIST = 16 * 1024 * 1024
# What a report says of a list that is there and can't be read.
ITS_LIST = "its list of files"


class _Lists(msgspec.Struct):
    """What such a file has: URLs and keys by name."""

    files: dict[str, str]
    keys: dict[str, str]


@dataclass(frozen=True)
class Moved:
    """A link for each name, those that are `missing` with the one that they had, if any; so many were `copied`."""

    links: Mapping[str, str]
    missing: Sequence[str] = ()
    copied: int = 0


class Media:
    """MEDIA_ROOT of the original: a folder, or a bucket as `s3://bucket/prefix` with AWS_* in the environment."""

    def __init__(self, where: str, store: UploadStore, links: FileLinks, base_url: str) -> None:
        """Copy to `store`; raise ArgumentError where there is no such folder."""
        self._store = store
        self._links = links
        self._base_url = base_url
        self._is_folder = urlsplit(where).scheme in {"", "file"}
        if self._is_folder:
            folder = Path(urlsplit(where).path)
            if not folder.is_dir():
                raise ArgumentError(f"--media {where}: there is no such folder")
            self._source: Any = LocalStore(folder)
            return
        try:
            self._source = from_url(where)
        except (BaseError, ValueError) as error:
            raise ArgumentError(f"--media {where}: {str(error).splitlines()[0]}") from None

    async def moved(self, submission: str, row: Row) -> Moved:
        """Copy the files of a row; raise StorageError where our store does not take one, or theirs fails."""
        keys, urls = await self._named(row)
        if keys is None or urls is None:
            return Moved({}, [ITS_LIST])
        links, missing = dict(urls), []
        for index, (name, key) in enumerate(keys.items()):
            with SpooledTemporaryFile(IN_MEMORY_BYTES) as copy:
                if not await self._fetched(row.queue, key, copy):
                    missing.append(name)
                    continue
                await self._store.put(file_key(submission, index), copy)
            links[name] = self._links.link(submission, index, name, self._base_url)
        return Moved(links, missing, len(keys) - len(missing))

    async def missing(self, row: Row) -> Sequence[str]:
        """Say which files of a row are not there, and copy none; raise StorageError where the store fails."""
        keys, urls = await self._named(row)
        if keys is None or urls is None:
            return [ITS_LIST]
        return [name for name, key in keys.items() if not await self._is_there(row.queue, key)]

    async def _named(self, row: Row) -> tuple[Mapping[str, str] | None, Mapping[str, str] | None]:
        """Read a row's keys and URLs by name; None for what can't be read."""
        keys, urls = names_in(row.file_keys), names_in(row.file_urls)
        if keys is not None and (elsewhere := keys.get(ELSEWHERE)):
            return await self._lists(row.queue, elsewhere)
        return keys, urls

    async def _lists(self, queue: str, key: str) -> tuple[Mapping[str, str] | None, Mapping[str, str] | None]:
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as copy:
            if not await self._fetched(queue, key, copy):
                return None, None
            try:
                lists = msgspec.json.decode(copy.read(MOST_OF_A_LIST), type=_Lists)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None, None
        return lists.keys, lists.files

    async def _fetched(self, queue: str, key: str, copy: IO[bytes]) -> bool:
        """Read a file into `copy`, from its beginning; False where it is not there."""

        async def read(place: str) -> None:
            found = await obstore.get_async(self._source, place)
            async for chunk in found.stream():
                copy.write(chunk)
            copy.seek(0)

        return await self._found(queue, key, read)

    async def _is_there(self, queue: str, key: str) -> bool:
        return await self._found(queue, key, partial(obstore.head_async, self._source))

    async def _found(self, queue: str, key: str, ask: Callable[[str], Awaitable[object]]) -> bool:
        """Ask for a file under its queue, where the original puts it, and as its key says."""
        for place in (f"{queue}/{key}", key):
            try:
                await ask(place)
            except (FileNotFoundError, ValueError):  # ValueError: what is no key of any store, such as ../x
                continue
            except (BaseError, OSError) as error:
                if self._is_folder:  # it is there, and not to be read: no other try will do
                    continue
                raise StorageError(f"can't read {place!r} of --media: {str(error).splitlines()[0]}") from None
            return True
        return False


def left_where_they_are(row: Row) -> Moved:
    """Keep the links that a row has; one without a host in it is lost, and so is a list that lies in a file."""
    urls = names_in(row.file_urls)
    if urls is None or ELSEWHERE in (names_in(row.file_keys) or {}):
        return Moved({}, [ITS_LIST])
    return Moved(urls, [name for name, url in urls.items() if not urlsplit(url).netloc])
