"""The main job: the LMS submits, a grader grades, the LMS gets the result."""

import asyncio
import base64
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from broker_setup.ledger.events import AnyEvent, Leased
from broker_setup.operator.read_ledger import read_ledger
from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.gateway import Client

# "Binary-looking": every character that text can hold but NUL, in no order.
BINARY_LOOKING = "".join(random.Random(7).choices([chr(code) for code in range(1, 0x250)], k=20_000))


@pytest.mark.parametrize(
    "body",
    [
        "😀 🇨🇭 naïve Ω \u202e right-to-left",
        "one\r\ntwo\rthree\nfour\n\n",
        BINARY_LOOKING,
        "a=b&c=d;e+f%20g%zz",
        "",
        ("ß😀\r\n" * 120_000)[: 1024 * 1024],
    ],
    ids=["emoji", "line-ends", "binary-looking", "form-like", "empty", "one-mebibyte"],
)
async def test_a_body_comes_back_byte_for_byte_at_both_ends(stack: Stack, body: str) -> None:
    # A URL to which any reply goes as it is.
    header = stack.lms.header("key with ünïcode", path="/hook")
    reply = json.dumps({"correct": True, "score": 0.5, "msg": "<p>ok</p>"}) + body
    async with stack.relay():
        with Client(stack.gateway.url) as client:
            assert await asyncio.to_thread(client.submit, header, body) == (0, "1")
            submission = await asyncio.to_thread(client.get_one)
            assert submission["xqueue_body"] == body
            assert await asyncio.to_thread(client.put, submission["xqueue_header"], reply) == (0, "")
        [callback] = await stack.lms.wait_accepted(1)
    assert callback.fields == [(b"xqueue_header", header.encode()), (b"xqueue_body", reply.encode())]


async def test_a_multipart_body_travels_like_an_urlencoded_one(stack: Stack) -> None:
    header, body = stack.lms.header(), "line\r\nline\r\n--boundary\r\n😀"
    with Client(stack.gateway.url) as client:
        files = {"solution.py": ("solution.py", b"\x00\x01binary")}
        assert await asyncio.to_thread(client.submit, header, body, files=files) == (0, "1")
        submission = await asyncio.to_thread(client.get_one)
    assert submission["xqueue_body"] == body
    assert list(submission["xqueue_files"]) == ["solution.py"]


@pytest.mark.parametrize(("seal", "version"), [("fernet", 0x80), ("aes-gcm", 0x81)])
async def test_a_result_reaches_its_lms_in_whichever_form_its_address_was_sealed(
    vhost: VHost, tmp_path: Path, seal: str, version: int
) -> None:
    async with running_stack(vhost.amqp_url, tmp_path, XQUEUE_SEAL=seal) as stack, stack.relay():
        header = stack.lms.header("key with ünïcode")
        with Client(stack.gateway.url) as client:
            assert await asyncio.to_thread(client.submit, header, "work") == (0, "1")
            submission = await asyncio.to_thread(client.get_one)
            reply = json.dumps({"correct": True, "score": 1, "msg": "<p>ok</p>"})
            assert await asyncio.to_thread(client.put, submission["xqueue_header"], reply) == (0, "")
        [callback] = await stack.lms.wait_accepted(1)
    assert callback.fields == [(b"xqueue_header", header.encode()), (b"xqueue_body", reply.encode())]
    events: list[AnyEvent] = []
    await asyncio.to_thread(read_ledger, vhost.amqp_url, lambda frame: events.extend(frame.events))
    sealed = [base64.urlsafe_b64decode(event.sealed) for event in events if isinstance(event, Leased)]
    assert [each[0] for each in sealed] == [version]


async def test_sixteen_graders_on_six_hundred_submissions_get_each_once(stack: Stack) -> None:
    headers = stack.headers(600)
    async with stack.relay(), fleet(stack.gateway.url) as clients:
        graders = asyncio.create_task(
            clients.grade_until(lambda: len(stack.lms.accepted) >= len(headers), graders=16),
        )
        assert len(await clients.submit_all(headers)) == len(headers)
        await stack.lms.wait_accepted(len(headers), within=60)
        await graders
    assert len(clients.handed_out) == len(headers)
    assert set(clients.handed_out.values()) == {1}
    assert Counter(callback.xqueue_header.decode() for callback in stack.lms.accepted) == Counter(headers)
    for callback in stack.lms.accepted:
        assert json.loads(callback.xqueue_body)["graded"] == callback.xqueue_header.decode()


async def test_results_wait_for_a_relay_that_is_stopped(stack: Stack) -> None:
    headers = stack.headers(20)
    async with fleet(stack.gateway.url) as clients:
        await clients.submit_all(headers)
        await clients.grade_until(lambda: clients.taken.total() == len(headers), graders=4)
        assert stack.lms.received == []
        async with stack.relay():
            await stack.lms.wait_accepted(len(headers))
    assert {callback.xqueue_header.decode() for callback in stack.lms.accepted} == set(headers)
