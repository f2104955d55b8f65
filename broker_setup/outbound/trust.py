"""Which certificate authorities are trusted: the system's, or those of a bundle that a setting names."""

import ssl
from pathlib import Path

from broker_setup.errors import SettingsError

_BEGIN = b"-----BEGIN "
# Every DER file of a certificate begins so.
_DER = b"\x30\x82"


def wrong_with_bundle(bundle: Path) -> str | None:
    """Say why `bundle` can't be trusted from, None if it can."""
    try:
        context = ssl.create_default_context(cafile=bundle)
    except ssl.SSLError:
        return f"{bundle} {_what_it_is(bundle)}"
    except OSError as error:
        return f"can't read {bundle}: {error.strerror}"
    # Lists of what was revoked are taken as well, and nobody is trusted for one.
    return None if context.cert_store_stats()["x509"] else f"{bundle} holds no certificates in PEM form"


def tls_context(key: str, bundle: Path | None) -> ssl.SSLContext:
    """Trust the certificates of `bundle`, which the setting `key` names, or the system's if it is None.

    Raise SettingsError if it can't be used.
    """
    if bundle is not None:
        _check(key, bundle)
    context = ssl.create_default_context(cafile=bundle)
    context.set_alpn_protocols(["http/1.1"])
    _agree_on_keys_cheaply(context)
    return context


def pem_of(key: str, bundle: Path) -> bytes:
    """Return the certificates of `bundle`, which the setting `key` names; raise SettingsError if it can't be used."""
    _check(key, bundle)
    return bundle.read_bytes()


def _agree_on_keys_cheaply(context: ssl.SSLContext) -> None:
    """Offer no Diffie-Hellman over whole numbers: the server says how large these are, and all others wait meanwhile.

    One of 10,000 bits (TLS 1.2) held the event loop for a second, one of 8,192 (1.3, before any certificate is looked
    at) for 0.2 s. TLS 1.3 asks every server for the curve P-256 (RFC 8446, 9.1).
    """
    offered = [each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    context.set_ciphers(":".join(name for name in offered if not name.startswith(("DHE-", "EDH-"))))
    context.set_ecdh_curve("prime256v1")


def _check(key: str, bundle: Path) -> None:
    if wrong := wrong_with_bundle(bundle):
        raise SettingsError(f"{key}: must be a file of certificates in PEM form, but {wrong}")


def _what_it_is(bundle: Path) -> str:
    content = bundle.read_bytes()
    if content.startswith(_DER):
        return f"is in DER form (`openssl x509 -inform der -in {bundle}` makes PEM of a certificate)"
    if b"PRIVATE KEY-----" in content and b"CERTIFICATE-----" not in content:
        return "holds a private key and no certificate"
    return "holds no certificates in PEM form" + (" that can be read" if _BEGIN in content else "")
