"""The site of docs/: strict, complete, and of one piece."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.once import made_once
from tests.support.project import ROOT

READERS = ("Run it for an LMS", "Write graders", "Operate it", "Develop it")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    return made_once(tmp_path_factory, testrun_uid, "site", build)


def build(place: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_page_is_on_it_and_no_link_leads_nowhere(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages = {page.with_name("index.html") if page.stem == "README" else page for page in pages}
    assert {page for page in pages if not (site / page).is_file()} == set()
    assert (site / "project/examples/pika_grader.py").is_file()


def test_its_menu_is_by_who_reads_and_leads_to_every_page(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    assert all(reader in start for reader in READERS)
    led = set(re.findall(r'href="([\w/.-]+\.html)"', start))
    assert {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html"} <= led | {"index.html"}


def test_nothing_of_it_comes_from_elsewhere_and_no_markdown_is_left_over(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert not re.findall(r'(?:src="|<link[^>]* href=")https?://', page), path
        text = re.sub(
            r"<(pre|code)\b.*?</\1>", "", page[page.find("<article") : page.find("</article")], flags=re.DOTALL
        )
        assert not re.findall(r"^(?:\||- |1\. |```).*$", text, re.MULTILINE), path
