"""docs/security.md names code and tests that are there."""

import re

import pytest

from tests.support.project import ROOT, text

PAGE = text("docs/security.md")
NAMED = sorted(set(re.findall(r"`((?:tests|gateway|broker_setup|callback_relay)/[\w/]+\.py)`", PAGE)))


@pytest.mark.parametrize("path", NAMED)
def test_what_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_each_attacker_has_tests() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \*\*[SPGA]\*\*", line)]
    assert [row[4] for row in rows] == list("SPGA")
    assert all("`tests/" in row and "make attack" in row for row in rows)
