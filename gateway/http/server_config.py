"""How uvicorn is set up, for the gateway and for the console alike."""

import uvicorn
from starlette.types import ASGIApp

from broker_setup.settings import Settings
from gateway.http.connection import Bounds, bounded

# Clients keep connections for a minute or so; whoever closes first must not be us, or their next request is lost.
KEEP_ALIVE_SECONDS = 75
# What is under way gets this long when we stop, a gateway after STOP_DELAY and STOP_TIME; polls are answered before.
GRACE_SECONDS = 5


def server_config(app: ASGIApp, settings: Settings, bounds: Bounds, **more: object) -> uvicorn.Config:
    """Make the configuration of a server of `app` whose connections have these bounds, and `more` of uvicorn's own."""
    return uvicorn.Config(
        app,
        http=bounded(bounds),  # type: ignore[arg-type]
        ws="none",
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        server_header=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,  # type: ignore[arg-type]
    )
