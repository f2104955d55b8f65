"""Serves small pages by aiohttp: 10 MiB of imports, which a process that shows none is spared."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

log = logging.getLogger(__name__)

# The server's own: a traceback for each request that is none, which are strangers' to make.
_UNHEARD = logging.getLogger(f"{__name__}.server")
_UNHEARD.disabled = True
# For answers under way when the service stops.
STOP_SECONDS = 0.5


# Makes a page: what it holds, of which type, and the status.
Page = Callable[[], tuple[bytes, str, HTTPStatus]]


def serving(pages: Mapping[str, Page]) -> web.AppRunner:
    """Make what serves these pages, by their paths."""
    app = web.Application(middlewares=[_once])
    for path, page in pages.items():
        app.router.add_get(path, _showing(page))
    return web.AppRunner(app, access_log=None, logger=_UNHEARD, shutdown_timeout=STOP_SECONDS)


def _showing(page: Page) -> Handler:
    async def show(_: web.Request) -> web.StreamResponse:
        body, kind, status = page()
        return web.Response(body=body, headers={"Content-Type": kind}, status=status)

    return show


@web.middleware
async def _once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer one request on a connection: none is kept for the next one, which may be a minute away."""
    try:
        answer = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    except Exception:
        log.exception("a mistake of ours: %s can't be shown", request.path)
        answer = web.Response(status=500)
    answer.force_close()
    return answer
