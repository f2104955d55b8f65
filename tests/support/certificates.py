"""A certificate of our own, and an LMS behind it."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.lms import LOOPBACK


def make_certificate(folder: Path, *, expired: bool = False, authority: bool = False) -> Path:
    """Make cert.pem for 127.0.0.1 and its key.pem; signed by itself, or by an `authority` whose ca.pem is beside."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    if authority:
        signer, issuer = ec.generate_private_key(ec.SECP256R1()), _name("authority")
        _write(
            folder / "ca.pem", _certificate(issuer, signer.public_key(), days=1, ca=True).issuer_name(issuer), signer
        )
    else:
        signer, issuer = key, _name("lms")
    certificate = _certificate(_name("lms"), key.public_key(), days=-1 if expired else 1, ca=not authority)
    _write(folder / "cert.pem", certificate.issuer_name(issuer), signer)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem"


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(name: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int, ca: bool) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def _write(file: Path, certificate: x509.CertificateBuilder, signer: ec.EllipticCurvePrivateKey) -> None:
    file.write_bytes(certificate.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM))


def server_tls(certificate: Path) -> ssl.SSLContext:
    """Make what a server with that certificate needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@contextlib.asynccontextmanager
async def https_lms(certificate: Path) -> AsyncIterator[int]:
    """Run an LMS that answers every POST to /score_update with 200; gives its port."""

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/score_update", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=server_tls(certificate)).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
