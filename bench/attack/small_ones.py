"""Row 16: what of the small ones can be seen from outside: paths, cookies, and where we started it, logs and files."""

import asyncio
import re
from http import HTTPStatus

import aiohttp
from yarl import URL

from bench.attack.amqp_grader import amqp_grader
from bench.attack.arena import Arena
from tests.support.hostile_requests import fire

PATHS = ("xqueue%2fstatus/", "xqueue/status%2f", "xqueue/status/%0a", "xqueue/%0astatus/", "xqueue/status%5c")
# 20 lines of a kind in a minute, of some kinds.
LOG_BYTES = 100 * 1024
FORGED = "FORGED line"
_LINE = re.compile(rf"^{FORGED}|\x1b", re.MULTILINE)


async def small_ones(arena: Arena) -> str:
    """Ask for escaped paths, use a cookie after logout/, and write into logs."""
    routed = 0
    for path in PATHS:
        async with arena.session.get(URL(f"{arena.target.url}/{path}", encoded=True)) as answer:
            routed += answer.status == HTTPStatus.OK
    arena.measured("escaped paths that lead to a call", routed, most=0)
    arena.measured("cookies good after logout/", await _served_after_logout(arena), most=0)
    if arena.target.folder:
        await _logs_and_files(arena)
    return f"{len(PATHS)} paths" + ("" if arena.target.folder else "; logs and files left out: a given stack")


async def _served_after_logout(arena: Arena) -> int:
    username, password = arena.target.producer
    url = f"{arena.target.url}/xqueue"
    form = {"username": username, "password": password}
    async with arena.session.post(f"{url}/login/", data=form) as answer:
        cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
    assert cookies
    served = []
    for call in ("get_queuelen", "logout", "get_queuelen"):
        params = {"queue_name": arena.target.hostile_queue}
        async with (
            aiohttp.ClientSession(cookies=cookies) as session,
            session.get(f"{url}/{call}/", params=params, allow_redirects=False) as answer,
        ):
            served.append(answer.status == HTTPStatus.OK)
    assert served[0]
    return served[2]


async def _logs_and_files(arena: Arena) -> None:
    folder = arena.target.folder
    assert folder
    gateway, relay = folder / "gateway.log", folder / "relay.log"
    before = gateway.stat().st_size
    number = min(2_000, arena.many)
    numbers = iter(range(number))

    async def stranger() -> None:
        for n in numbers:
            await fire(arena.target.url, n, b"X: x", 30)

    await asyncio.gather(*(stranger() for _ in range(20)))
    async with amqp_grader(arena) as grader:
        [taken] = await grader.take(arena, 1)
        forged = [f"x\n{FORGED}\x1b[31m", f"\x1b]0;{FORGED}\x07", f"x\r{FORGED}"]
        await grader.publish(*(grader.answer(taken, b"junk", headers={}, correlation_id=text) for text in forged))
    grown = gateway.stat().st_size - before
    form = aiohttp.FormData({"xqueue_header": arena.header(arena.target.hostile_queue), "xqueue_body": "x"})
    form.add_field("work.py", b"print()", filename="work.py")
    await arena.call("POST", "submit/", arena.target.producer, data=form)
    taken_back = await arena.take(arena.target.hostile_queue, arena.target.grader)
    files = [each for each in (folder / "uploads").rglob("*") if each.is_file()]
    arena.of_all("files there of one that was sent", len(files) > 0, 1)
    arena.measured(
        "files that others on the machine read", sum(each.stat().st_mode & 0o077 > 0 for each in files), most=0
    )
    await arena.put(taken_back["xqueue_header"], b'{"correct": true, "score": 1, "msg": "x"}')
    await asyncio.sleep(1)
    arena.measured(f"bytes of log for {number} requests of a stranger", grown, most=LOG_BYTES)
    logs = (file.read_bytes().decode(errors="replace") for file in (gateway, relay, folder / "passive.log"))
    arena.measured("forged lines and escapes in logs", sum(len(_LINE.findall(log)) for log in logs), most=0)
