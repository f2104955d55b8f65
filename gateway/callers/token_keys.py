"""The keys that tokens are signed with: a JWK set in the settings or in a file, and a shared secret if there is one."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from broker_setup.errors import SettingsError
from broker_setup.jwk_sets import Key, parse_jwks, why_unusable
from broker_setup.settings import Settings

log = logging.getLogger(__name__)

SECRET_ALGORITHMS = frozenset({"HS256"})

Keys = Callable[[], Sequence[Key]]


def keys_of(settings: Settings) -> Keys | None:
    """Return where the keys come from, None if tokens are not taken; raise SettingsError."""
    fixed = []
    if settings.jwt_secret_key:
        fixed.append(Key(settings.jwt_secret_key.get_secret_value().encode(), SECRET_ALGORITHMS))
    if settings.jwt_public_jwks is not None:
        try:
            fixed.extend(parse_jwks(settings.jwt_public_jwks))
        except ValueError as error:
            raise SettingsError(f"JWT_PUBLIC_JWKS: {error}") from error
    if settings.jwt_public_jwks_file:
        file = KeyFile(settings.jwt_public_jwks_file)
        return lambda: [*fixed, *file.keys()]
    return (lambda: fixed) if fixed else None


class KeyFile:
    """A JWK set in a file, read again when the file has changed; one that can't be used leaves the earlier keys."""

    def __init__(self, path: Path) -> None:
        """Read it; raise SettingsError."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: Sequence[Key] = ()
        try:
            self._read()
        except (OSError, ValueError) as error:
            raise SettingsError(f"JWT_PUBLIC_JWKS_FILE: {path}: {why_unusable(error)}") from error

    def keys(self) -> Sequence[Key]:
        """Return the keys as they stand in the file now, or stood there when it could be read last."""
        try:
            self._read()
        except (OSError, ValueError) as error:
            log.error("JWT_PUBLIC_JWKS_FILE: %s: %s; its earlier keys stay", self._path, why_unusable(error))  # noqa: TRY400
        return self._keys

    def _read(self) -> None:
        try:
            stat = self._path.stat()
        except OSError:
            if self._seen == (0, 0, 0):
                return
            self._seen = (0, 0, 0)
            raise
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            # Noted first, so that a file that can't be used is reported once for each change.
            self._seen = seen
            self._keys = parse_jwks(json.loads(self._path.read_bytes()))
