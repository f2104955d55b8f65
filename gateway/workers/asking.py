"""Asks an application of this process as a client would, without a connection."""

from starlette.types import ASGIApp, Message, Scope

_OK = 200


async def answers_200(application: ASGIApp, path: str) -> bool:
    """Whether a GET of the path is answered with 200."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
        "state": {},
    }
    await application(scope, receive, send)
    return statuses == [_OK]
