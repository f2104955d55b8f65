"""The keys that tokens are signed with: a JWK set in the settings or in a file, and a shared secret if there is one."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings

log = logging.getLogger(__name__)

RSA_ALGORITHMS = frozenset({"RS256", "RS512"})
SECRET_ALGORITHMS = frozenset({"HS256"})
# What NIST SP 800-131A asks for.
MIN_RSA_BITS = 2048


@dataclass(frozen=True)
class Key:
    """One key with the algorithms that it may be used with; a token's own word on that does not count."""

    material: RSAPublicKey | bytes
    algorithms: frozenset[str]
    kid: str | None = None


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
            raise SettingsError(f"JWT_PUBLIC_JWKS_FILE: {path}: {_why(error)}") from error

    def keys(self) -> Sequence[Key]:
        """Return the keys as they stand in the file now, or stood there when it could be read last."""
        try:
            self._read()
        except (OSError, ValueError) as error:
            log.error("JWT_PUBLIC_JWKS_FILE: %s: %s; its earlier keys stay", self._path, _why(error))  # noqa: TRY400
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


def parse_jwks(document: object) -> list[Key]:
    """Return the RSA keys of a JWK set that are for signatures; raise ValueError.

    Private and symmetric keys are refused: whoever reads the set could sign with them.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('must be a JWK set, a map with a list of "keys"')
    keys = [key for entry in entries for key in _parse(entry)]
    if not keys:
        raise ValueError(f"has no RSA key for {' or '.join(sorted(RSA_ALGORITHMS))}")
    return keys


def _parse(entry: Mapping[str, object]) -> list[Key]:
    kid = entry.get("kid")
    if "d" in entry or "k" in entry:
        raise ValueError("has a private or symmetric key; only public ones belong here")
    algorithms = RSA_ALGORITHMS & {str(entry["alg"])} if "alg" in entry else RSA_ALGORITHMS
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or not algorithms:
        return []
    try:
        # The library's messages quote the key.
        material = PyJWK(dict(entry), "RS256").key
    except (PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the key {kid!r} can't be read ({type(error).__name__})") from None
    if material.key_size < MIN_RSA_BITS:
        raise ValueError(f"the key {kid!r} has {material.key_size} bits, which must be {MIN_RSA_BITS} or more")
    if kid is not None and not isinstance(kid, str):
        raise ValueError(f'the "kid" {kid!r} must be text')
    return [Key(material, algorithms, kid)]


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else str(error)
