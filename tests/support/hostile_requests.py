"""Ten thousand hostile requests, each made from its number: all bytes that are sent, and what came of sending them."""

import asyncio
import base64
import json
import random
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from tests.support.gateway import USERS, lms_header

# What a request may take in all this, the machine being busy: far below any timeout of the gateway's.
ANSWER_SECONDS = 15


def authorization(user: str, password: str) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode())


OURS = authorization("lms", USERS["lms"])
CALLS = ["login", "submit", "put_result", "put_results", "get_queuelen", "extend_lease", "release_submission"]
URLENCODED, MULTIPART = b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=limit"
END = b"--limit--\r\n"
GOOD_HEADER = lms_header().encode()

Body = tuple[bytes, bytes]


def part(name: bytes, content: bytes, *, more: bytes = b"") -> bytes:
    return b'--limit\r\nContent-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, value: str) -> bytes:
    return f"{name}={quote(value)}".encode()


FILE = b'; filename="x"'
BODIES: dict[str, Callable[[random.Random], Body]] = {
    "many fields": lambda some: (URLENCODED, b"&".join(b"f%d=x" % n for n in range(some.choice([101, 1000, 100_000])))),
    "many parts": lambda some: (MULTIPART, part(b"f", b"x") * some.choice([101, 1000]) + END),
    "many files": lambda some: (MULTIPART, part(b"f", b"x", more=FILE) * some.choice([33, 1000]) + END),
    "many headers of a part": lambda some: (MULTIPART, part(b"f", b"x", more=b"\r\nx: y" * 10_000) + END),
    "a long header of a part": lambda some: (MULTIPART, part(b"x" * 1_000_000, b"x") + END),
    "one large field": lambda some: (URLENCODED, field("xqueue_body", "x" * some.choice([10_000, 1_000_000]))),
    "all escapes": lambda some: (URLENCODED, b"xqueue_body=" + b"%41" * 100_000),
    "half escapes": lambda some: (URLENCODED, b"%&%4&%zz=%u1234&\\x41=\\ud800&" * 50),
    "bad UTF-8": lambda some: (URLENCODED, b"xqueue_header=%ff%fe&xqueue_body=" + some.randbytes(100)),
    "bad UTF-8 in a part": lambda some: (MULTIPART, part(b"xqueue_header", some.randbytes(300)) + END),
    "lone surrogates": lambda some: (
        URLENCODED,
        field("xqueue_header", '{"queue_name": "\\ud800"}') + b"&xqueue_body=%ED%A0%80",
    ),
    "lone surrogates in a good form": lambda some: (
        URLENCODED,
        field("xqueue_header", json.dumps({"lms_callback_url": "\udfff", "lms_key": "\ud800", "queue_name": "none"}))
        + b"&xqueue_body=x",
    ),
    "deep JSON": lambda some: (
        URLENCODED,
        field("xqueue_header", some.choice(["[", '{"a":']) * 100_000) + b"&xqueue_body=x",
    ),
    "deep JSON alone": lambda some: (b"application/json", b'{"results":' + b"[" * 200_000),
    "huge numbers": lambda some: (
        URLENCODED,
        field(
            "xqueue_header",
            f'{{"submission_id": {some.choice(["9" * 5000, "1e999", "-1e-999", "0x1"])}, "submission_key": "x"}}',
        )
        + b"&xqueue_body=x",
    ),
    "huge numbers alone": lambda some: (b"application/json", b'{"results": [' + b"9" * 100_000 + b"]}"),
    "a form that is cut off": lambda some: (MULTIPART, part(b"xqueue_header", GOOD_HEADER)[: some.randrange(80)]),
    "nothing but boundaries": lambda some: (MULTIPART, b"--limit\r\n" * 1000 + END),
    "a long preamble": lambda some: (MULTIPART, b"x\r\n" * 100_000),
    "a strange boundary": lambda some: (
        b"multipart/form-data; boundary=" + some.randbytes(50).hex().encode() * 3,
        b"--x",
    ),
    "a strange charset": lambda some: (
        MULTIPART + b"; charset=" + some.choice([b"utf-7", b"idna", b"zip", b"hex", b"\xff"]),
        part(b"xqueue_header", b"+2AA-\xff") + END,
    ),
    "noise": lambda some: (some.choice([URLENCODED, MULTIPART, b"\xff", b""]), some.randbytes(some.randrange(2000))),
    "compressed": lambda some: (URLENCODED + b"\r\nContent-Encoding: gzip", b"\x1f\x8b\x08" + some.randbytes(500)),
}
HEADS = [
    b"GET /xqueue/status/ HTTP/1.1\r\n" + b"x: y\r\n" * 20_000,
    b"GET /xqueue/status/ HTTP/1.1\r\nx: " + b"y" * 500_000,
    b"GET /" + b"x" * 500_000,
    b"GET /xqueue/\xff\x00 HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300_000,
    b"GET /xqueue/status/ HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
    b"GET /xqueue/files/" + b"a." * 3000 + b"/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /xqueue/get_submission/?queue_name=" + b"%ED%A0%80" * 100 + b" HTTP/1.1\r\n" + OURS + b"\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET /xqueue/status/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
]


PROBES = [b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
HUNG_UP, NO_ANSWER, TOO_LATE = 0, -1, -2


def is_probe(number: int) -> bool:
    """Whether this one only asks how the gateway is, and does not wait to hear it."""
    return number % 4 == 1


def hostile(number: int, account: bytes = OURS) -> bytes:
    """Make the request of this number: all bytes that are sent; most with `account`, a header."""
    some = random.Random(number)
    if is_probe(number):
        return some.choice(PROBES) * some.choice([1, 1, 10])
    if number % 4 == 0:
        return some.choice(HEADS).replace(OURS, account)
    content_type, body = some.choice(list(BODIES.values()))(some)
    lines = [
        f"POST /xqueue/{some.choice(CALLS)}/?queue_name=openedx HTTP/1.1".encode(),
        b"Host: x",
        b"Connection: close",
        b"Content-Type: " + content_type,
        b"Content-Length: %d" % (len(body) + (some.random() < 0.02)),
    ]
    if some.random() < 0.7:
        lines.append(account)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def fire(url: str, number: int, account: bytes = OURS, within: float = ANSWER_SECONDS) -> int:
    """Send a hostile request, and read until the gateway closes; return the status, or why there is none."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    answer = b""
    try:
        async with asyncio.timeout(within):
            writer.write(hostile(number, account))
            await writer.drain()
            if is_probe(number):
                return HUNG_UP
            answer = await reader.readuntil(b"\r\n")
    except TimeoutError:
        return TOO_LATE
    except (OSError, asyncio.IncompleteReadError):
        return NO_ANSWER
    finally:
        writer.transport.abort()
    return int(answer.split(b" ")[1])
