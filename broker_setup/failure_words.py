"""Says why there is no connection, in words for an operator: no class names, no quotes of what came."""

import os
import re
import socket
import ssl
from collections.abc import Iterator

_UNKNOWN_AUTHORITY = "its certificate is from an authority that is not trusted here"
_OTHER_HOST = "its certificate is for another host name"
_EXPIRED = "its certificate has expired"
_NOT_YET = "its certificate is not valid yet (or this machine's clock is behind)"

# OpenSSL's numbers (X509_V_ERR_...): the library gives names to none of them.
_CERTIFICATE = {
    2: _UNKNOWN_AUTHORITY,
    9: _NOT_YET,
    10: _EXPIRED,
    18: "its certificate is signed by itself, and not trusted here",
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    23: "its certificate was revoked",
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}

# The beginnings of rustls' names for the same.
_RUSTLS = {
    "UnknownIssuer": _UNKNOWN_AUTHORITY,
    "Expired": _EXPIRED,
    "NotValidYet": _NOT_YET,
    "NotValidForName": _OTHER_HOST,
}
_RUSTLS_NAME = re.compile(r"InvalidCertificate\(\s*(\w+)")

_NO_TLS = "it does not answer in TLS at this port"
_TLS = {"WRONG_VERSION_NUMBER": _NO_TLS, "HTTP_REQUEST": _NO_TLS, "RECORD_LAYER_FAILURE": _NO_TLS}


# Most special first; where the system gave a number, its own words are better.
_WITHOUT_NUMBER: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "no answer in time"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "the connection was closed by the other side"),
)


def why_not_connected(error: BaseException) -> str:
    """Say what went wrong when a connection was made, or broke; empty if it is nothing common."""
    match error:
        case ssl.SSLError():
            return _why_no_tls(error)
        case socket.gaierror(errno=number):
            again = number == socket.EAI_AGAIN
            return "no name server answered for the host name" if again else "the host name is unknown"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number).lower()
        case _:
            return next((words for kind, words in _WITHOUT_NUMBER if isinstance(error, kind)), "")


def why_within(error: BaseException) -> str:
    """Say the same of an error that a library has wrapped, however often; empty if none of them is common."""
    inner = (words for wrapped in _wrapped(error) if (words := why_within(wrapped)))
    return next(inner, "") or why_not_connected(error)


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    named = (getattr(error, name, None) for name in ("exception", "reason", "__cause__", "__context__"))
    yield from (each for each in (*named, *error.args) if isinstance(each, BaseException) and each is not error)


def why_in_dump(dump: str) -> str:
    """Say what rustls has against a certificate, by the dump of its error; empty if it is something else."""
    found = _RUSTLS_NAME.search(dump)
    if not found:
        return ""
    known = (words for name, words in _RUSTLS.items() if found[1].startswith(name))
    return next(known, f"its certificate is not trusted: {found[1]}")


def _why_no_tls(error: ssl.SSLError) -> str:
    match error:
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=message):
            return _CERTIFICATE.get(code, f"its certificate is not trusted: {_from_openssl(message)}")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "it closed the connection while TLS was set up"
        case _:
            return _TLS.get(error.reason or "", f"TLS failed: {_from_openssl(error.reason)}")


def _from_openssl(words: str | None) -> str:
    """Make words for people of OpenSSL's own, such as TLSV1_ALERT_PROTOCOL_VERSION."""
    return (words or "no reason given").replace("_", " ").lower()
