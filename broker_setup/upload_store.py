"""Where uploaded files lie: a folder or an object store, opened from the settings; keys in it, and presigned URLs."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from broker_setup.errors import SettingsError, StorageError
from broker_setup.failure_words import why_in_dump
from broker_setup.outbound.trust import pem_of
from broker_setup.settings.table import SettingsTable

if TYPE_CHECKING:
    from obstore.store import ClientConfig

# The smallest part that S3 takes. Two of them under way bound what one file takes of memory.
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 2
# A store that is away must be noticed while the LMS still waits: it gives a submit 10 s.
CONNECT_SECONDS = 2
REQUEST_SECONDS = 30
RETRIES = 2
RETRY_SECONDS = 5
LIST_AT_ONCE = 1000
# Whoever opens one in a browser gets a download, also straight from the store.
ATTRIBUTES = {"Content-Disposition": "attachment", "Content-Type": "application/octet-stream"}

_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{32})/\d+")
_SECRET = re.compile("key|secret|token|password|sas|account")
_LONGEST_REASON = 200


def file_key(submission: str, index: int) -> str:
    """Name the place of a submission's file; two levels, so that no folder holds a million."""
    return f"{submission[:2]}/{submission}/{index}"


def submission_of(key: str) -> str | None:
    """Return the uuid of the submission that a key belongs to; None where it is none of ours."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


class UploadStore:
    """Puts, reads and removes files by key; what goes wrong is a StorageError without a secret in it."""

    def __init__(self, url: str, options: Mapping[str, str], authorities: bytes | None = None) -> None:
        """Trust `authorities`, certificates in PEM form, beside the system's."""
        self._url = url
        self._options = options
        self._authorities = authorities
        self._root = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
        # A folder is made with its first file.
        self._opened: ObjectStore | None = None if self._root else self._open()

    @property
    def can_presign(self) -> bool:
        """Whether the store lets others fetch a file from itself."""
        return isinstance(self._opened, S3Store | GCSStore | AzureStore)

    async def put(self, key: str, file: IO[bytes]) -> None:
        """Store a file, atomically and on disk; it is read in parts."""
        try:
            await obstore.put_async(
                self._store,
                key,
                file,
                attributes=None if self._root else dict(ATTRIBUTES),
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
            if self._root:
                await asyncio.to_thread(_to_disk, self._root / key)
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("store a file", error) from None

    async def size(self, key: str) -> int | None:
        """Return how many bytes a file has; None if there is none."""
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("find a file", error) from None

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Return a stretch of a file."""
        try:
            return bytes(await obstore.get_range_async(self._store, key, start=start, length=length))
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("read a file", error) from None

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove what there is of these files."""
        await asyncio.to_thread(self.remove_now, keys)

    def remove_now(self, keys: Sequence[str]) -> None:
        """Remove what there is of these files; blocks."""
        # Together where the store can; those that say that one is not there have then to be asked for each. Of a folder
        # one by one: removed together, each sees the other's file, and none the empty folder.
        one_by_one = [[key] for key in keys]
        try:
            for some in one_by_one if self._root else (keys, *one_by_one):
                try:
                    obstore.delete(self._store, some)
                except FileNotFoundError:
                    continue
                if some is keys:
                    return
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("remove a file", error) from None

    async def presigned(self, key: str, seconds: int) -> str:
        """Return a URL at the store itself that works for so long."""
        assert isinstance(self._opened, S3Store | GCSStore | AzureStore)
        try:
            return await obstore.sign_async(self._opened, "GET", key, timedelta(seconds=seconds))
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("sign a URL", error) from None

    def listing(self) -> Iterator[list[tuple[str, float]]]:
        """Yield every file as key and time of its last change (seconds since the epoch), some at a time; blocks.

        A folder that is not there is an error, and is not made: whoever lists it looks in the wrong place.
        """
        if self._root and not self._root.is_dir():
            why = f"there is no folder {self._root}: nothing was uploaded yet, or it is not the gateways'"
            raise StorageError(f"can't list the files: {why}")
        try:
            for some in obstore.list(self._store, chunk_size=LIST_AT_ONCE):
                yield [(meta["path"], meta["last_modified"].timestamp()) for meta in some]
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("list the files", error) from None

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> ObjectStore:
        if self._root:
            return LocalStore(self._root, mkdir=True, automatic_cleanup=True)
        config: Any = dict(self._options)
        client_options: ClientConfig = {
            "allow_http": self._options.get("endpoint", "").startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        }
        if self._authorities:
            client_options["root_certificate"] = self._authorities
        return from_url(
            self._url,
            config=config,
            client_options=client_options,
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )

    def _failed(self, what: str, error: Exception) -> StorageError:
        return StorageError(f"can't {what}: {self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        # The library appends a dump of its state to the first line.
        text = str(error).split("\n", maxsplit=1)[0][:_LONGEST_REASON]
        text = why_in_dump(str(error)) or text
        for name, value in self._options.items():
            text = text.replace(value, "***") if _SECRET.search(name) else text
        return text


def open_upload_store(settings: SettingsTable) -> UploadStore:
    """Open what UPLOAD_STORE names, or the folder UPLOAD_PATH; raise SettingsError where that can't be.

    Nothing is asked of the store yet: it may be away for a while.
    """
    url = settings.upload_store or settings.upload_path.absolute().as_uri()
    options = {key: value.get_secret_value() for key, value in settings.upload_store_options.items()}
    authorities = pem_of("UPLOAD_CA_BUNDLE", settings.upload_ca_bundle) if settings.upload_ca_bundle else None
    try:
        return UploadStore(url, options, authorities)
    except (BaseError, OSError, ValueError, TypeError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise SettingsError(f"UPLOAD_STORE, UPLOAD_STORE_OPTIONS: {reason}") from None


def _to_disk(path: Path) -> None:
    with path.open("rb") as stored:
        os.fsync(stored.fileno())
