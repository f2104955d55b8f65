"""The keys of a JWK set that tokens may be signed with; no I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

RSA_ALGORITHMS = frozenset({"RS256", "RS512"})
# What NIST SP 800-131A asks for.
MIN_RSA_BITS = 2048


@dataclass(frozen=True)
class Key:
    """One key with the algorithms that it may be used with; a token's own word on that does not count."""

    material: RSAPublicKey | bytes
    algorithms: frozenset[str]
    kid: str | None = None


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


def why_unusable(error: OSError | ValueError) -> str:
    """Say why the file of a set can't be used, without a word of what stands in it."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "is not JSON" if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) else str(error)
