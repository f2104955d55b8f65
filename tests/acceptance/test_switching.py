"""What an original XQueue has is taken over while graders work: each row is settled once, however the import ends."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import Fleet, fleet, reply_to
from tests.support.gateway import PATIENCE_SECONDS, RETRY_DELAYS, SECRET_KEY
from tests.support.legacy_table import NOW, OldRow, make_table
from tests.support.mariadb import running_mariadb
from tests.support.operator import begun, run
from tests.support.queues import ready
from tests.support.waiting import eventually

# Of all states together; 5,000 take twice as long.
ROWS = int(os.environ.get("ROWS", "1500"))
DELAY = "25"  # minutes
FILES = {"main.py": b"print('old work')\n", "\u00fcber.txt": b"text"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    with running_mariadb(tmp_path / "mariadb") as url:
        yield url


def rows_of(stack: Stack, count: int) -> list[OldRow]:
    """Make so many rows: a third of each ten waits, one is held by a grader, two have a reply, the rest has ended."""
    held, replied = NOW - timedelta(minutes=1), NOW - timedelta(minutes=2)
    late, ended = NOW - timedelta(minutes=30), NOW - timedelta(days=9)
    rows = []
    for number in range(1, count + 1):
        row = partial(OldRow, number, stack.lms.header(f"key {number}", path=f"/{number}/score_update"))
        match number % 10:
            case 1:
                rows.append(row(pull_time=held, pullkey=f"old key {number}", grader_id="w"))
            case 2 | 3:
                reply = reply_to(f"old reply {number}")
                rows.append(row(pull_time=replied, pullkey="k", return_time=replied, grader_reply=reply))
            case 4:
                # Its grader has had it for too long: it is free.
                rows.append(
                    row(
                        pull_time=late,
                        pullkey=f"late key {number}",
                        s3_keys='{"a": "gone"}',
                        s3_urls='{"a": "http://x/a"}',
                    )
                )
            case 5 | 6:
                # Its keys are hashes.
                keys = {name: f"{crc32(name.encode()):08x}" for name in FILES}
                urls = {name: f"/media/openedx/{key}" for name, key in keys.items()}
                rows.append(row(s3_keys=json.dumps(keys), s3_urls=json.dumps(urls)))
            case _:
                rows.append(row(retired=True, lms_ack=True, grader_reply="{}", return_time=ended))
    return rows


def is_live(number: int) -> bool:
    return 1 <= number % 10 <= 6


@pytest.mark.timeout(600)
async def test_an_import_killed_twice_while_graders_work_settles_each_live_row_once(
    vhost: VHost, tmp_path: Path, database: str
) -> None:
    media = tmp_path / "media/openedx"
    media.mkdir(parents=True)
    for name, content in FILES.items():
        (media / f"{crc32(name.encode()):08x}").write_bytes(content)
    public_url = "http://xqueue.example"
    settings = {"AMQP_URL": vhost.amqp_url, "SECRET_KEY": SECRET_KEY, "XQUEUES": '{"openedx": null, "other": null}'}
    settings |= {"PUBLIC_URL": public_url, "UPLOAD_PATH": str(tmp_path / "up"), "SUBMISSION_PROCESSING_DELAY": DELAY}
    command = ("import-legacy", database, "--media", str(media.parent), "--yes")
    shared = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": DELAY, "XQUEUE_UPLOAD_PATH": settings["UPLOAD_PATH"]}
    async with running_stack(vhost.amqp_url, tmp_path, retry_delays=RETRY_DELAYS, **shared) as stack, stack.relay():
        rows = rows_of(stack, ROWS)
        await asyncio.to_thread(make_table, database, rows)
        live = [row.id for row in rows if is_live(row.id)]

        async def kill_after(messages: int) -> None:
            importing = await begun(*command, **settings)
            await eventually(partial(has_come, stack, messages), 120)
            await importing.kill()
            assert await stored(stack) < len(live), "it was killed when all was done"

        await kill_after(len(live) // 8)
        before = len(stack.lms.received)
        async with fleet(stack.gateway.url) as clients:
            # Its time is over, and nobody else has had it yet.
            assert await put_by_old_key(clients, 4, "late key 4") == (0, "")
            await files_are_copied(clients, public_url)
            grading = asyncio.create_task(clients.grade_until(lambda: len(stack.lms.accepted) >= len(live), graders=4))
            await kill_after(before + len(live) // 4)
            done = await asyncio.to_thread(run, *command, "--json", **settings)
            assert done.returncode == 0, done.stderr
            report = json.loads(done.stdout)
            for row in rows:
                if row.id % 10 == 1:
                    assert await put_by_old_key(clients, row.id, row.pullkey) == (0, ""), row.id
            await asyncio.wait_for(grading, 300)
            # With the same ids as before, each handed out once; those with a grader were handed to nobody else.
            assert set(clients.handed_out) == {number for number in live if number % 10 in {4, 5, 6}} - {4}
            assert set(clients.handed_out.values()) == {1}
        assert Counter(callback.lms_key for callback in stack.lms.accepted) == Counter(f"key {n}" for n in live)
        again = json.loads((await asyncio.to_thread(run, *command, "--json", **settings)).stdout)
        assert again["queues"]["openedx"] == {
            "waits": 0,
            "leased": 0,
            "replied": 0,
            "ended": 0,
            "refused": 0,
            "done": len(live),
        }
        assert set(report["files_missing"]) <= {str(number) for number in live if number % 10 == 4}


async def stored(stack: Stack) -> int:
    return len(stack.lms.received) + await ready(stack.amqp_url, "xqueue.submissions.openedx")


async def has_come(stack: Stack, messages: int) -> bool:
    return await stored(stack) >= messages


async def put_by_old_key(clients: Fleet, submission_id: int, key: str) -> tuple[int, Any]:
    header = json.dumps({"submission_id": submission_id, "submission_key": key})
    data = {"xqueue_header": header, "xqueue_body": reply_to("by its old key")}
    return await clients.call("POST", "put_result/", data=data)


async def files_are_copied(clients: Fleet, public_url: str) -> None:
    """Take work until some has files, get them by their links as a grader does, and grade it."""
    links: dict[str, str] = {}
    while not any(link.startswith(public_url) for link in links.values()):
        taken = await clients.take(wait=PATIENCE_SECONDS)
        assert taken
        links = json.loads(taken["xqueue_files"])
        assert await clients.put(taken, reply_to(taken["xqueue_header"]))
    got = {}
    for name, link in links.items():
        async with clients.session.get(clients.urls[0] + link.removeprefix(public_url)) as answer:
            got[name] = await answer.read()
    assert got == FILES
