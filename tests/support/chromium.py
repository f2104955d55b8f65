"""A browser for tests: Debian's Chromium, installed or unpacked, moved by playwright; what axe-core finds in a page."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from deploy.local import packages
from deploy.local.errors import LocalError
from deploy.local.programs import Program
from deploy.local.runtime import libraries_in
from tests.support.broker import CACHE

AXE = Path(__file__).with_name("vendored") / "axe-core-4.14.1.min.js"
# A container has no user namespaces for its sandbox and a small /dev/shm.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--mute-audio")
# For what comes at once, or when a page asks again after some seconds, where nothing else runs.
PATIENCE_MS = 60_000


def chromium() -> Program:
    """Return the browser; raise LocalError where it is not to be had."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if installed := shutil.which(name):
            return Program(Path(installed))
    if not packages.available():
        raise LocalError("No chromium here and no way to get one: install it.")
    root = packages.unpacked("chromium", CACHE, _is_of_it, lambda line: print(line, file=sys.stderr))
    return Program(root / "usr/lib/chromium/chromium", {"LD_LIBRARY_PATH": os.pathsep.join(libraries_in(root))})


def _is_of_it(package: str) -> bool:
    """Its own files have to lie beside it, also where the system has some of them."""
    return package.startswith("chromium")


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run it, without a window, for as long as the block runs."""
    found = chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=found.path, args=ARGUMENTS, env={**os.environ, **found.env}, timeout=PATIENCE_MS
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab(browser: Browser, url: str, *, scripts: bool = True, dark: bool = False) -> AsyncIterator[Page]:
    """Open a tab with cookies of its own; what the browser complains of in a page fails the test."""
    context = await browser.new_context(
        base_url=url,
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        viewport={"width": 1280, "height": 900},
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    try:
        yield page
        assert [each for each in complaints if "status of 4" not in each] == []
    finally:
        await context.close()


async def found_by_axe(page: Page) -> Sequence[str]:
    """Return what axe-core has against a page, each with the first element that it is about."""
    # By the browser's own means: the page's policy lets no script of others run.
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
