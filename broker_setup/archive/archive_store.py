"""The store of the archive: what the store of uploaded files can, and to read objects whole and list some."""

import io
from collections.abc import Iterator
from contextlib import suppress

import obstore
from obstore.exceptions import BaseError

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings
from broker_setup.upload_store import LIST_AT_ONCE, UploadStore


class ArchiveStore(UploadStore):
    """A store of its own: whoever may fetch uploaded files need not get at the archive."""

    async def keep(self, key: str, content: bytes) -> None:
        """Store an object, atomically and on disk, in place of what may lie there."""
        await self.put(key, io.BytesIO(content))

    async def whole(self, key: str) -> bytes | None:
        """Return an object; None if there is none."""
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("read an object", error) from None

    def below(self, folder: str) -> Iterator[list[tuple[str, int, float]]]:
        """Yield each object below a folder: key, bytes, time of its change (seconds since the epoch); blocks."""
        try:
            for some in obstore.list(self._store, prefix=folder, chunk_size=LIST_AT_ONCE):
                yield [(meta["path"], meta["size"], meta["last_modified"].timestamp()) for meta in some]
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("list objects", error) from None

    def clear_away(self, before: float) -> None:
        """Remove what was begun in a folder and not finished, because its writer was killed; blocks."""
        for path in self._root.rglob("*#*") if self._root else ():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def folders_in(self, folder: str = "") -> list[str]:
        """Return the paths of the folders in a folder, "" the topmost; blocks."""
        try:
            return list(obstore.list_with_delimiter(self._store, prefix=folder or None)["common_prefixes"])
        except FileNotFoundError:
            return []
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("list folders", error) from None


def open_archive_store(settings: Settings) -> ArchiveStore:
    """Open what ARCHIVE_STORE names; raise SettingsError where that can't be. Nothing is asked of the store yet."""
    if settings.archive_store is None:
        raise SettingsError("ARCHIVE_STORE is not set: it says where the archive lies")
    options = {key: value.get_secret_value() for key, value in settings.archive_store_options.items()}
    try:
        return ArchiveStore(settings.archive_store, options)
    except (BaseError, OSError, ValueError, TypeError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise SettingsError(f"ARCHIVE_STORE, ARCHIVE_STORE_OPTIONS: {reason}") from None
