"""Tokens made the way the LMS makes them: its claims, its algorithms, its keys."""

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://lms.example/oauth2"
AUDIENCE = "openedx"
HS_SECRET = "the secret that the LMS and XQueue share"
KID = "openedx"
BITS = 2048


def private_key(name: str = KID, bits: int = BITS) -> RSAPrivateKey:
    """One key for each name in a run: they take a while to make."""
    return _private_key(name, bits)


@cache
def _private_key(name: str, bits: int) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=bits)


def public_jwk(name: str = KID, bits: int = BITS, **fields: Any) -> dict[str, Any]:
    jwk: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name, bits).public_key(), as_dict=True)
    return jwk | {"kid": name} | fields


def jwks(*names: str) -> dict[str, Any]:
    return {"keys": [public_jwk(name) for name in names or (KID,)]}


def claims(*scopes: str, **changes: Any) -> dict[str, Any]:
    """The claims of the LMS's tokens; a change to None leaves one out."""
    now = int(time.time())
    whole = {
        "aud": AUDIENCE,
        "exp": now + 3600,
        "grant_type": "client-credentials",
        "iat": now,
        "iss": ISSUER,
        "preferred_username": "member",
        "scopes": list(scopes),
        "version": "1.2.0",
        "sub": "0123456789abcdef0123456789abcdef",
        "filters": [],
        "is_restricted": True,
        "email_verified": True,
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def asymmetric(*scopes: str, key: str = KID, kid: str | None = None, algorithm: str = "RS512", **changes: Any) -> str:
    """A token for a restricted application; newer releases name no key in it."""
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims(*scopes, **changes), private_key(key), algorithm=algorithm, headers=headers)


def symmetric(*scopes: str, secret: str = HS_SECRET, **changes: Any) -> str:
    """A token of the older kind."""
    return jwt.encode(claims(*scopes, **changes), secret, algorithm="HS256")


def unsigned(*scopes: str, algorithm: str = "none") -> str:
    return f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims(*scopes))}."


def signed_with_the_public_key(*scopes: str, kid: str | None = None) -> str:
    """The old trick: HS256, and for the secret the key that everybody may know."""
    pem = private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _part({"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {}))
    signed = f"{head}.{_part(claims(*scopes))}"
    return f"{signed}.{_base64(hmac.digest(pem, signed.encode(), hashlib.sha256))}"


def with_header(token: str, **header: Any) -> str:
    """The token with another header, and the signature that it had."""
    _, payload, signature = token.split(".")
    return f"{_part({'alg': 'RS512', 'typ': 'JWT'} | header)}.{payload}.{signature}"


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
