"""The glossary has the words that code uses, and links between the documents lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.support.project import ROOT, table_rows, text

WORDS = [row[0] for row in table_rows(text("docs/glossary.md"))]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("grader/*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_words_are_sorted_and_each_stands_once() -> None:
    assert sorted(set(WORDS)) == WORDS


def test_the_words_of_the_house_are_explained() -> None:
    house = {
        "submission",
        "result",
        "hold",
        "lease",
        "settle",
        "supersede",
        "park",
        "redrive",
        "ledger",
        "frame",
        "rung",
    }
    assert house <= set(WORDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_other_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_code_that_are_named_are_there(page: Path) -> None:
    named = re.findall(
        r"`((?:broker_setup|gateway|callback_relay|grader|tests|bench|deploy|examples)/[\w/.-]+\.\w+)`",
        page.read_text(encoding="utf-8"),
    )
    assert [path for path in named if not (ROOT / path).exists()] == []
