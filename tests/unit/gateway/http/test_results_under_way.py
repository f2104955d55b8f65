"""What a result costs a gateway while it is on its way to the broker."""

import gc
import json
import tracemalloc
from typing import Any, cast

import pytest

from gateway.http.form_limits import FormLimits
from gateway.http.grader_calls import GraderCalls
from gateway.http.shared_room import BusyError, SharedRoom
from tests.support.forms import MULTIPART, Sender, part

SIZE = 4 * 1024 * 1024
HEADER = json.dumps({"submission_id": 7, "submission_key": "key"}).encode()


async def test_a_result_under_way_counts_as_a_form_and_is_in_memory_once() -> None:
    room = SharedRoom(1.5 * SIZE)
    held: list[int] = []

    class Results:
        async def take(self, _id: int, _key: str, body: bytes, *_: object) -> None:
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
            assert len(body) == SIZE
            with pytest.raises(BusyError):
                room.take("another", SIZE, 0)

    calls = GraderCalls(
        queues=(),
        polls=cast("Any", None),
        counts=cast("Any", None),
        results=cast("Any", Results()),
        limits=FormLimits(fields=2 * SIZE, file=1, files_total=1, files=1, memory=room),
    )
    body = part("xqueue_header", HEADER) + part("xqueue_body", b"x" * SIZE) + b"--limit--\r\n"
    sender = Sender(MULTIPART, [body[at : at + 65536] for at in range(0, len(body), 65536)])
    del body
    sender.request.state.permission = lambda _: True
    tracemalloc.start()
    try:
        assert (await calls.put_result(sender.request)).status_code == 200
    finally:
        tracemalloc.stop()
    assert held[0] < 1.3 * SIZE
    room.take("another", SIZE, 0)
