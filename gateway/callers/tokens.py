"""Verifies tokens (JWT) as Open edX issues them, and says who calls with what roles."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from broker_setup.errors import XQueueError
from broker_setup.jwk_sets import Key
from gateway.callers.access import Caller, Role
from gateway.callers.token_keys import Keys

SCOPES: Mapping[str, Role] = {"xqueue:submit": Role.PRODUCER, "xqueue:score": Role.CONSUMER}
SUPPORTED_VERSION = (1, 2, 0)
# Clocks of servers that keep time differ by less.
LEEWAY_SECONDS = 10
# Open edX's have some 1,500 characters.
MAX_CHARACTERS = 16_384

_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})", re.ASCII)


class TokenFault(Enum):
    """Why a token is refused; the word is what its sender reads."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    EXPIRED = "expired"
    EARLY = "not yet valid"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    CLAIM = "claim"
    VERSION = "version"
    SCOPE = "scope"


class BadTokenError(XQueueError):
    """A token is refused; the text is for its sender and holds nothing of it."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(f"Token refused: {fault.value}")
        self.fault = fault


class MissingScopeError(BadTokenError):
    """A token is good, but has no scope for this call."""

    def __init__(self) -> None:
        super().__init__(TokenFault.SCOPE)


# What the library says, in our words; of several the first that fits.
_FAULTS: Sequence[tuple[type[Exception], TokenFault]] = (
    (InvalidSignatureError, TokenFault.SIGNATURE),
    (ExpiredSignatureError, TokenFault.EXPIRED),
    (ImmatureSignatureError, TokenFault.EARLY),
    (InvalidIssuerError, TokenFault.ISSUER),
    (InvalidAudienceError, TokenFault.AUDIENCE),
    (MissingRequiredClaimError, TokenFault.CLAIM),
)


class Tokens:
    """Says whose a token is."""

    def __init__(self, keys: Keys, *, issuers: Sequence[str], audience: str | None) -> None:
        """Without an `audience` a token may be meant for anybody, as Open edX's are."""
        self._keys = keys
        self._issuers = list(issuers)
        self._audience = audience

    def caller_of(self, token: str) -> Caller:
        """Return who calls; raise BadTokenError."""
        if len(token) > MAX_CHARACTERS:
            raise BadTokenError(TokenFault.MALFORMED)
        try:
            header = jwt.get_unverified_header(token)
        except (PyJWTError, ValueError) as error:
            raise BadTokenError(TokenFault.MALFORMED) from error
        return caller_of_claims(self._verified(token, fitting(self._keys(), header)))

    def _verified(self, token: str, keys: Sequence[Key]) -> Mapping[str, Any]:
        for key in keys:
            try:
                return self._decoded(token, key)
            except InvalidSignatureError:
                continue
            except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
                fault = next((fault for kind, fault in _FAULTS if isinstance(error, kind)), TokenFault.MALFORMED)
                raise BadTokenError(fault) from error
        raise BadTokenError(TokenFault.SIGNATURE)

    def _decoded(self, token: str, key: Key) -> Mapping[str, Any]:
        required = ["exp", "iat", "iss", *(["aud"] if self._audience else [])]
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.material,
            algorithms=sorted(key.algorithms),
            issuer=self._issuers,
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={
                "require": required,
                "verify_aud": self._audience is not None,
                "verify_sub": False,  # names are in preferred_username
                "verify_jti": False,
            },
        )
        return claims


def fitting(keys: Sequence[Key], header: Mapping[str, Any]) -> Sequence[Key]:
    """Return the keys that a token with this header could be signed with; raise BadTokenError."""
    # It may be of any type: the header has not been verified yet.
    of_algorithm = [key for key in keys if str(header.get("alg")) in key.algorithms]
    if not of_algorithm:
        raise BadTokenError(TokenFault.ALGORITHM)
    kid = header.get("kid")
    fits = [key for key in of_algorithm if kid is None or key.kid == kid]
    if not fits:
        raise BadTokenError(TokenFault.KEY)
    return fits


def caller_of_claims(claims: Mapping[str, Any]) -> Caller:
    """Return the caller that verified claims speak of; raise BadTokenError."""
    version, name, scopes = (claims.get(claim) for claim in ("version", "preferred_username", "scopes"))
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if not match or not isinstance(name, str) or not name or not isinstance(scopes, list):
        raise BadTokenError(TokenFault.CLAIM)
    if tuple(map(int, match.groups())) > SUPPORTED_VERSION:
        raise BadTokenError(TokenFault.VERSION)
    roles = frozenset(role for scope, role in SCOPES.items() if scope in scopes)
    if not roles:
        raise MissingScopeError
    return Caller(name, roles)
