"""A certificate of our own, and an LMS behind it."""

import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from tests.support.lms import LOOPBACK


def make_certificate(folder: Path) -> Path:
    """Make cert.pem for 127.0.0.1, and its key.pem."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=lms -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, check=True, capture_output=True
    )
    return folder / "cert.pem"


@contextlib.asynccontextmanager
async def https_lms(certificate: Path) -> AsyncIterator[int]:
    """Run an LMS that answers every POST to /score_update with 200; gives its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/score_update", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
