"""Knows the failure that is none: an LMS that closes a kept connection just as the next callback goes out on it."""

from types import SimpleNamespace
from typing import Any

import aiohttp


class Sending:
    """What one POST has come to; give it to the session's `post` as trace_request_ctx."""

    on_kept_connection = False

    def met_a_closing(self, error: Exception) -> bool:
        """Whether `error` says no more than that the LMS no longer wanted the connection.

        A connection of its own would have had an answer. Once something of an answer came, the LMS had the callback.
        """
        match error:
            case aiohttp.ServerDisconnectedError():
                # What had come of an answer stands in place of the words.
                unanswered = isinstance(error.message, str)
            case _:
                unanswered = isinstance(error, aiohttp.ClientOSError | aiohttp.ClientConnectionResetError)
        return self.on_kept_connection and unanswered


def noting_kept_connections() -> aiohttp.TraceConfig:
    """Make what lets a session note in each Sending that it is on a connection that was used before."""
    noting = aiohttp.TraceConfig()
    noting.on_connection_reuseconn.append(_note)
    return noting


async def _note(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.on_kept_connection = True
