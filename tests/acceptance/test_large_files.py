"""Large files of many clients at once, in a folder and in S3: the gateway stays small, and every byte comes back."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from broker_setup.upload_store import PART_BYTES
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.gateway import PATIENCE_SECONDS, USERS, Gateway, lms_header, running_gateway
from tests.support.memory import MIB, Memory
from tests.support.object_store import running_object_store

STORED_AT_ONCE = 4
CLIENTS = STORED_AT_ONCE + 1
FILES = 5
# Of the four together. XQUEUE_TEST_UPLOAD_MIB=800 gives each of them 200 MiB.
TOTAL = int(os.environ.get("XQUEUE_TEST_UPLOAD_MIB", "240")) * MIB
# The first file of each of them is large, 56 MiB: S3 gets it in many parts, and a gateway that held the four whole that
# it stores at once would come to some 300 MiB. One that reads them in parts came to 205 MiB at most.
OTHERS = MIB
FIRST = TOTAL // STORED_AT_ONCE - (FILES - 1) * OTHERS
assert FIRST > 2 * PART_BYTES, "no file is sent in parts"
MOST_MEMORY = 250 * MIB
LIMITS = {"XQUEUE_MAX_FILE_SIZE": str(TOTAL), "XQUEUE_MAX_UPLOAD_SIZE": str(TOTAL)}
BLOCK = bytes(range(256)) * 4096

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=["folder", "S3"])
def gateway(request: pytest.FixtureRequest, vhost: VHost, tmp_path: Path) -> Iterator[Gateway]:
    if request.param == "folder":
        with running_gateway(vhost.amqp_url, tmp_path, settings=LIMITS, cold=True) as running:
            yield running
    else:
        with (
            running_object_store(tmp_path) as store,
            running_gateway(vhost.amqp_url, tmp_path, settings=store.settings(**LIMITS), cold=True) as running,
        ):
            yield running
    for folder in ("uploads", "data"):
        # pytest keeps the rest, but these are large.
        shutil.rmtree(tmp_path / folder, ignore_errors=True)


def size(client: int, file: int) -> int:
    return OTHERS if file or client >= STORED_AT_ONCE else FIRST


def blocks(client: int, file: int) -> Iterator[bytes]:
    """The content of a file, no two alike."""
    start = b"%d %d" % (client, file)
    yield start
    left = size(client, file) - len(start)
    while left > 0:
        yield BLOCK[:left]
        left -= len(BLOCK)


async def slowly(client: int, file: int) -> AsyncIterator[bytes]:
    for block in blocks(client, file):
        yield block


def digest(content: Iterator[bytes]) -> str:
    found = hashlib.blake2b()
    for block in content:
        found.update(block)
    return found.hexdigest()


async def fetched(session: aiohttp.ClientSession, url: str) -> str:
    found = hashlib.blake2b()
    async with session.get(url) as answer:
        assert answer.status == 200
        async for block in answer.content.iter_chunked(MIB):
            found.update(block)
    return found.hexdigest()


async def test_files_of_five_clients_at_once_pass_through_a_small_gateway(gateway: Gateway) -> None:
    timeout = aiohttp.ClientTimeout(total=500)
    with Memory(gateway) as memory:
        async with fleet(gateway.url) as graders, aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(submit(session, gateway, client) for client in range(CLIENTS)))
            uploaded = memory.most
            taken = [await graders.take(wait=PATIENCE_SECONDS) for _ in range(CLIENTS)]
            await asyncio.gather(*(check(session, submission) for submission in taken))
    print(f"{TOTAL / MIB:.0f} MiB of files: {uploaded / MIB:.0f} MiB up, {memory.most / MIB:.0f} in all")
    assert memory.most < MOST_MEMORY


async def submit(session: aiohttp.ClientSession, gateway: Gateway, client: int) -> None:
    form = aiohttp.FormData({"xqueue_header": lms_header(), "xqueue_body": str(client)})
    for file in range(FILES):
        form.add_field(f"file-{file}", slowly(client, file), filename="x")
    auth = {"Authorization": aiohttp.encode_basic_auth("lms", USERS["lms"])}
    async with session.post(f"{gateway.url}/xqueue/submit/", data=form, headers=auth) as answer:
        assert '"return_code": 0' in await answer.text()


async def check(session: aiohttp.ClientSession, submission: Any) -> None:
    links = json.loads(submission["xqueue_files"])
    client = int(submission["xqueue_body"])
    assert list(links) == [f"file-{file}" for file in range(FILES)]
    for file, link in enumerate(links.values()):
        assert await fetched(session, link) == digest(blocks(client, file))
