"""An answer goes out as uvicorn would send it, but in one write where it is there as a whole."""

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.http.one_write import OneWrite

CLOSE = (b"connection", b"close")
NAMES = st.sampled_from([b"content-type", b"x-xqueue-reason", b"set-cookie", b"Connection", b"transfer-encoding"])
VALUES = st.sampled_from([b"text/html", b"close", b"keep-alive", b"chunked", b"\xe4\t\xff", b""])
HEADERS = st.lists(st.tuples(NAMES.map(bytes.lower), VALUES), max_size=4)


class Client:
    """A transport that notes what is written and whether it was closed."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def resume_reading(self) -> None:
        """Nothing was paused."""


def cycle_for(client: Client, method: str = "GET", default: Any = (), **more: Any) -> RequestResponseCycle:
    log = logging.getLogger("tests")
    return RequestResponseCycle(
        scope={"method": method, "type": "http"},  # type: ignore[typeddict-item]
        transport=client,  # type: ignore[arg-type]
        flow=FlowControl(client),  # type: ignore[arg-type]
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=list(default),
        message_event=asyncio.Event(),
        on_response=lambda: None,
        **{"expect_100_continue": False, "keep_alive": True} | more,
    )


async def told(cycle: RequestResponseCycle, messages: list[Message], *, in_one: bool) -> str:
    """Send an answer; return the error that the sender was told of."""
    send: Send = OneWrite(cycle.send) if in_one else cycle.send  # type: ignore[arg-type, assignment]
    try:
        for message in messages:
            await send(message)
    except RuntimeError as error:
        return type(error).__name__
    return ""


def answer(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> list[Message]:
    return [
        {"type": "http.response.start", "status": status, "headers": list(headers)},
        {"type": "http.response.body", "body": body},
    ]


@st.composite
def answers(draw: st.DrawFn) -> list[Message]:
    """An answer of whatever parts, with or without its length, and that be right or wrong."""
    headers, pieces = draw(HEADERS), draw(st.lists(st.binary(max_size=5), min_size=1, max_size=3))
    length = draw(st.none() | st.integers(0, 12))
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    status = draw(st.sampled_from([200, 204, 301, 304, 404, 503]))
    parts: list[Message] = [{"type": "http.response.start", "status": status, "headers": headers}]
    for number, piece in enumerate(pieces, start=1):
        parts.append({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})
    return parts


@given(
    parts=answers(),
    default=st.lists(st.sampled_from([(b"date", b"today"), CLOSE]), max_size=2),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    keep_alive=st.booleans(),
)
def test_what_is_written_is_what_uvicorn_writes(
    parts: list[Message],
    default: list[tuple[bytes, bytes]],
    method: str,
    keep_alive: bool,  # noqa: FBT001
) -> None:
    ours, theirs = Client(), Client()
    one, other = (cycle_for(client, method, default, keep_alive=keep_alive) for client in (ours, theirs))
    assert asyncio.run(told(one, parts, in_one=True)) == asyncio.run(told(other, parts, in_one=False))
    assert b"".join(ours.writes) == b"".join(theirs.writes)
    assert ours.is_closed == theirs.is_closed
    for name in ("response_started", "response_complete", "keep_alive", "waiting_for_100_continue"):
        assert getattr(one, name) == getattr(other, name), name


async def test_an_answer_that_is_there_as_a_whole_is_one_write() -> None:
    client = Client()
    await told(cycle_for(client, default=[(b"date", b"today")]), answer(b"ok", (b"content-length", b"2")), in_one=True)
    assert client.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\nok"]


@pytest.mark.parametrize("bad", [b"a\r\nset-cookie: b=c", b"a\nb", b"a\rb", b"a\0b", b"a\x7f"])
@pytest.mark.parametrize("is_name", [True, False])
async def test_a_header_that_would_end_its_line_is_never_written(bad: bytes, is_name: bool) -> None:  # noqa: FBT001
    client = Client()
    header = (bad, b"value") if is_name else (b"x-reason", bad)
    assert await told(cycle_for(client), answer(b"", (b"content-length", b"0"), header), in_one=True) == "RuntimeError"
    assert client.writes == []


async def test_whoever_fails_between_head_and_body_gives_the_caller_a_whole_answer_all_the_same() -> None:
    async def fails(_: Scope, __: Receive, send: Send) -> None:
        await OneWrite(send)(answer(b"", (b"content-length", b"0"))[0])
        raise ValueError

    client = Client()
    await cycle_for(client).run_asgi(fails)  # type: ignore[arg-type]
    assert b"".join(client.writes).startswith(b"HTTP/1.1 500 ")
    assert client.is_closed


async def test_a_client_that_waits_for_leave_to_send_its_body_has_its_answer_and_no_leave() -> None:
    client = Client()
    cycle = cycle_for(client, "POST", expect_100_continue=True)
    send = OneWrite(cycle.send)  # type: ignore[arg-type]
    head, body = answer(b"", (b"content-length", b"0"))
    await send(head)
    asking = asyncio.create_task(cycle.receive())
    await asyncio.sleep(0)
    await send(body)
    assert await asking == {"type": "http.disconnect"}
    assert b"100 Continue" not in b"".join(client.writes)


async def test_nothing_is_written_to_a_client_that_has_gone_meanwhile() -> None:
    client = Client()
    cycle = cycle_for(client)
    cycle.flow.pause_writing()
    sending = asyncio.create_task(told(cycle, answer(b"", (b"content-length", b"0")), in_one=True))
    await asyncio.sleep(0)
    cycle.disconnected = True
    cycle.flow.resume_writing()
    assert await sending == ""
    assert client.writes == []
