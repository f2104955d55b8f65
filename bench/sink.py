"""The light LMS that callbacks go to: answers 200 at once and counts.

`python -m bench.sink PORT`. `GET /` answers `{"posts", "distinct", "seconds"}`: how many came since the last
`GET /reset`, how many different ones, and the seconds from the first to the last. After `GET /delay/3` a callback is
answered when so many seconds have passed; of what was taken before, as it was said then.
"""

import asyncio
import json
import sys
from time import perf_counter
from typing import cast

import uvloop

_LENGTH = b"content-length: "
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Count:
    """What came since the last reset."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.delay = 0.0  # seconds
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self.posts, self.first, self.last = 0, 0.0, 0.0
        self.seen: set[int] = set()

    def add(self, body: bytes) -> None:
        """Count one callback."""
        self.last = perf_counter()
        self.first = self.first or self.last
        self.posts += 1
        self.seen.add(hash(body))

    def as_json(self) -> bytes:
        """Encode the counts."""
        counts = {"posts": self.posts, "distinct": len(self.seen), "seconds": self.last - self.first}
        return json.dumps(counts).encode()


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, count: Count) -> None:
        """Count into `count`."""
        self._count = count
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(_LENGTH)
            length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            assert self._transport
            answer = self._answer(head, body)
            if self._count.delay and head.startswith(b"post "):
                asyncio.get_running_loop().call_later(self._count.delay, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"post "):
            self._count.add(body)
            return _OK
        if head.startswith(b"get /reset "):
            self._count.reset()
            return _OK
        if head.startswith(b"get /delay/"):
            self._count.delay = float(head.split()[1].rpartition(b"/")[2])
            return _OK
        counts = self._count.as_json()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(counts), counts)


async def serve(port: int) -> None:
    """Serve until killed."""
    count = Count()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(count), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
