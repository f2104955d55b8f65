"""The console as a person uses it, in a browser: three reasons for which a submission waits, and what can be done."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from broker_setup.operator.setup.declare import declare
from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.chromium import PATIENCE_MS, found_by_axe, running_browser, tab
from tests.support.console import PASSWORD, console_settings, running_console
from tests.support.gateway import SECRET_KEY, Client
from tests.support.ports import free_port
from tests.support.relay import REPLY
from tests.support.service_process import service_process

LATER = (0.5, 4.0)
GRACE = 3600.0
HOSTILE = "/xqueue/5/<img src=x onerror=alert(1)>\u202egpj" + "W" * 500
PAGES = ("/", "/search?q=xqueue", "/parked", "/lms", "/graders")
expect.set_options(timeout=PATIENCE_MS)


async def log_in(page: Page, name: str) -> None:
    await page.goto("/")
    await page.fill("#username", name)
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await expect(page.locator("h1")).to_have_text("Queues")


async def look_for(page: Page, text: str) -> None:
    """Find a submission as a person does: a part of its URL into the search, and the first that is listed."""
    await page.goto("/")
    await page.fill("#q", text)
    await page.keyboard.press("Enter")
    await page.click("tbody a >> nth=0")


async def says(page: Page, *sentences: str) -> None:
    for sentence in sentences:
        await expect(page.locator("#live")).to_contain_text(sentence)


def relay_values(amqp_url: str, port: int) -> dict[str, str]:
    values: dict[str, Any] = {
        "AMQP_URL": amqp_url,
        "SECRET_KEY": SECRET_KEY,
        "RETRY_DELAYS": list(LATER),
        "NOTICE_GRACE": GRACE,
        "METRICS_PORT": port,
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


@dataclass
class Site:
    """A site with a console, and a browser that is Ada's."""

    url: str
    browser: Browser
    ada: Page
    stack: Stack

    async def submit(self, path: str) -> None:
        async with self._client("lms") as lms:
            await asyncio.to_thread(lms.submit, self.stack.lms.header(path=path), "work")

    async def take(self) -> dict[str, Any]:
        async with self._client("grader") as grader:
            return await asyncio.to_thread(grader.get_one)

    async def grade(self, lease: dict[str, Any]) -> None:
        async with self._client("grader") as grader:
            assert await asyncio.to_thread(grader.put, lease["xqueue_header"], REPLY.decode()) == (0, "")

    async def fail(self, lease: dict[str, Any]) -> None:
        """Give it back as failed, and poll again: it is parked, as one attempt is all that it has."""
        form = {"xqueue_header": lease["xqueue_header"], "failed": "true"}
        async with self._client("grader") as grader:
            assert await asyncio.to_thread(grader.call, "POST", "release_submission/", data=form) == (0, "")
            assert await asyncio.to_thread(grader.get, wait=1) is None

    @asynccontextmanager
    async def _client(self, user: str) -> AsyncIterator[Client]:
        with Client(self.stack.gateway.url, user) as client:
            yield client


@asynccontextmanager
async def running_site(amqp_url: str, folder: Path) -> AsyncIterator[Site]:
    relay_port = free_port()
    settings = console_settings(
        amqp_url=amqp_url,
        secret_key=SECRET_KEY,
        console_port=free_port(),
        metrics_port=relay_port,
        retry_delays=LATER,
        notice_grace=GRACE,
    )
    gateway = {"XQUEUE_MAX_ATTEMPTS": "1", "XQUEUE_NOTICE_GRACE": str(GRACE)}
    topology_of = settings.topology
    await asyncio.to_thread(declare, amqp_url, topology_of)
    async with (
        running_stack(amqp_url, folder, retry_delays=LATER, **gateway) as stack,
        service_process("callback_relay", relay_values(amqp_url, relay_port), folder / "relay.log"),
        running_console(settings) as url,
        running_browser() as browser,
        tab(browser, url) as ada,
    ):
        await log_in(ada, "ada")
        yield Site(url, browser, ada, stack)


async def test_a_person_sees_why_a_submission_waits_mends_it_and_sees_it_delivered(
    vhost: VHost, tmp_path: Path
) -> None:
    async with running_site(vhost.amqp_url, tmp_path) as site:
        await nobody_grades_then_the_lms_is_away(site)
        await it_is_parked_and_redriven(site)
        # With the keyboard alone: the first thing that Tab reaches leads past the navigation.
        await site.ada.goto("/")
        await site.ada.keyboard.press("Tab")
        await site.ada.keyboard.press("Enter")
        assert site.ada.url.endswith("#content")


async def nobody_grades_then_the_lms_is_away(site: Site) -> None:
    ada, lms = site.ada, site.stack.lms
    await site.submit("/xqueue/student-7/score_update")
    await look_for(ada, "student-7")
    await says(ada, "It waits for a grader.", "No grader has asked for this queue's work", "It is next.")
    lease = await site.take()
    await says(ada, "It is being graded.", "“grader” has it since")
    lms.always(503)
    await site.grade(lease)
    await says(
        ada, "its result waits to be taken by the LMS", f"The LMS {lms.origin} did not take it", "It is tried again"
    )
    await ada.goto("/lms")
    await expect(ada.locator("tbody")).to_contain_text(lms.origin)
    lms.always(200)
    await look_for(ada, "student-7")
    await says(ada, "It is done: the LMS has its result.")


async def it_is_parked_and_redriven(site: Site) -> None:
    ada = site.ada
    await site.submit(HOSTILE)
    await site.fail(await site.take())
    await look_for(ada, "xqueue/5/")
    await says(ada, "It was set aside without a grade.", "Until then a redrive reaches the gradebook.")
    await others_look(site)
    assert await found_by_axe(ada) == []
    await ada.click("button:has-text('Redrive it')")
    await says(ada, "1 match.")
    assert await found_by_axe(ada) == []
    await ada.click("button:has-text('Redrive 1')")
    await says(ada, "1 redriven.")
    await look_for(ada, "xqueue/5/")
    await expect(ada.locator("tbody")).to_contain_text("ada sent it back to its graders")
    await site.grade(await site.take())
    await says(ada, "It is done: the LMS has its result.")
    await site.stack.lms.wait_accepted(2)


async def others_look(site: Site) -> None:
    """A viewer finds nothing to press, in the dark; who may see another queue alone sees nothing, without scripts."""
    async with tab(site.browser, site.url, dark=True) as vic:
        await log_in(vic, "vic")
        await vic.goto("/parked")
        await expect(vic.locator("tbody")).to_contain_text("failed 1 times")
        assert await vic.locator("main button:has-text('Redrive')").count() == 0
        for path in PAGES:
            await vic.goto(path)
            assert await found_by_axe(vic) == [], path
    async with tab(site.browser, site.url, scripts=False) as quinn:
        await log_in(quinn, "quinn")
        for path in PAGES:
            await quinn.goto(path)
            await expect(quinn.locator("h1")).to_be_visible()
            await expect(quinn.locator("main")).not_to_contain_text("openedx")
