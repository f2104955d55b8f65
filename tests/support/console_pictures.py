"""Pictures of the console for the documentation, `make screenshots`: what they show is invented, and no broker runs."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import pi, sin
from pathlib import Path
from random import Random
from time import time

import uvicorn
from playwright.async_api import Page

from broker_setup.ledger.events import AnyEvent, Delivered, Graded, Leased, Parked, Released, Submitted
from gateway.console.known.broker_look import QueueLook
from tests.support.chromium import running_browser, tab
from tests.support.console import PASSWORD, Desk, console_settings
from tests.support.ports import free_port
from tests.support.project import ROOT

FOLDER = ROOT / "docs/images"
QUEUES = {"matlab": None, "python-101": None, "essays": None}
GATEWAY = "xqueue-gateway gateway-1:18040 12"
HOURS = 6
COURSE = "https://lms.example.org/courses/course-v1:Uni+{queue}+2026/xqueue/{student}/block-v1:Uni+{queue}+2026+type@problem+block@{block:06x}/score_update"


def invented(desk: Desk, now: float, chance: Random) -> Iterator[AnyEvent]:
    """Six hours of three queues: one that is well, one that nobody has graded for a quarter of an hour, a small one."""
    for queue, number in (("matlab", 400), ("python-101", 900), ("essays", 40)):
        for each in range(number):
            part = each / number
            at = now - HOURS * 3600 * (1 - part) + 240 * sin(part * 12 * pi)
            uuid = chance.randbytes(16)
            url = COURSE.format(queue=queue, student=1000 + each, block=each % 37)
            yield Submitted(min(at, now - 3), uuid, queue, sealed_url=desk.seals.seal(url, uuid))
            if queue == "matlab" and at > now - 840:
                continue
            key = chance.randbytes(16)
            yield Leased(at + 4, uuid, queue, b"", key, at + 64, "", 1, b"", f"{queue}-grader")
            if queue == "python-101" and each % 130 == 7:
                yield Released(at + 9, uuid, key, at + 9, failed=True)
                yield Parked(
                    at + 10,
                    uuid,
                    queue,
                    b"",
                    "failed 20 times; a grader's reply was refused: it is no JSON",
                    0,
                    now + 70_000,
                )
                continue
            yield Graded(at + 11, uuid, queue, b"", key, b"digest")
            yield Delivered(at + 12, uuid, 1)


@asynccontextmanager
async def invented_site() -> AsyncIterator[str]:
    """Serve a console that has been told all that; yield its address."""
    port, now = free_port(), time()
    desk = Desk(console_settings(xqueues=QUEUES, console_port=port, console_roles={"ada": {"role": "operator"}}))
    desk.tell(*invented(desk, now, Random(7)), writer=GATEWAY)
    console = desk.console
    console._following.ledger._reader._up_to_date.set()
    looks = console._broker._looks
    for queue, look in list(looks.items()):
        gone = queue == "matlab"
        asked_at, waiting = (now - 840 if gone else now + 3600), (26 if gone else 0)
        seen = QueueLook(now - 7200, ready=waiting, consumers=0 if gone else 2)
        looks[queue] = replace(look, **{**vars(seen), "asked_at": asked_at, "seen_at": now})
    config = uvicorn.Config(console._server.config.app, port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def take(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"console-{name}.png")


async def take_all(folder: Path) -> None:
    """Take each picture."""
    async with invented_site() as url, running_browser() as browser:
        for dark in (False, True):
            async with tab(browser, url, dark=dark) as page:
                await page.set_viewport_size({"width": 1180, "height": 520})
                await page.goto("/")
                await page.fill("#username", "ada")
                await page.fill("#password", PASSWORD)
                await page.click("main button")
                await page.wait_for_selector("#live")
                await take(page, folder, "queues-dark" if dark else "queues")
                if dark:
                    continue
                await page.goto("/search?q=queue:matlab+state:waiting")
                await take(page, folder, "search")
                await page.click("tbody a >> nth=0")
                await page.wait_for_selector("#live")
                await take(page, folder, "submission")
                await page.goto("/parked")
                await take(page, folder, "parked")


def main() -> None:
    """Take them into docs/images, or into the folder that PICTURES names."""
    folder = Path(os.environ.get("PICTURES") or FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(folder))
    for file in sorted(folder.glob("console-*.png")):
        print(file)


if __name__ == "__main__":
    main()
