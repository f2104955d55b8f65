"""The house keeps its measure, and each word its one meaning."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.project import ROOT

PRODUCT = ("broker_setup", "gateway", "callback_relay", "grader")
FILES = sorted(
    file
    for package in (*PRODUCT, "deploy", "examples", "bench")
    for file in (ROOT / package).rglob("*.py")
    if not file.is_symlink()
)
# A class, or a type by another name.
NAME = re.compile(r"^(?:class )?([A-Z]\w*[a-z]\w*)(?=[:([]| = )", re.MULTILINE)

MOST_LINES = 250
# A file of more lines, and why it is one concept all the same.
LONGER: dict[str, str] = {}

# Which names of classes and types are whose: the folder or file, as the glossary has the word.
HOMES = {
    "Caller": "gateway/callers/access.py",
    "Finding": "broker_setup/wire/replies.py",
    "Order": "callback_relay/",
    "Pace": "callback_relay/",
    "Reason": "callback_relay/",
    "Settlement": "grader/",
    "UploadStore": "broker_setup/upload_store.py",
    "Verdict": "callback_relay/",
}
# Which say nothing without another word before them.
NEVER_ALONE = {"Choice", "Consumer", "Grader", "Store", "Submission"}
# ... but for these: the library's public names, the message, and what `retire` decides of one.
ALONE = {
    ("Consumer", "callback_relay/results_consumer.py"),
    ("Choice", "broker_setup/operator/retire/plan.py"),
    ("Grader", "grader/xqueue_grader/grader.py"),
    ("Submission", "grader/xqueue_grader/submission.py"),
    ("Submission", "broker_setup/wire/submissions.py"),
}


def path_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


NAMED = [
    (name, path_of(file))
    for file in FILES
    if path_of(file).startswith(PRODUCT)
    for name in NAME.findall(file.read_text(encoding="utf-8"))
]


def test_no_file_is_longer_than_one_concept_needs() -> None:
    lines = {path_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {path for path, number in lines.items() if number > MOST_LINES} == set(LONGER)


@pytest.mark.parametrize("word", sorted(HOMES))
def test_a_name_is_used_where_the_glossary_has_it_at_home(word: str) -> None:
    places = [path for name, path in NAMED if name == word]
    assert places
    assert [path for path in places if not path.startswith(HOMES[word])] == []


def test_words_that_mean_many_things_are_said_with_another_before_them() -> None:
    assert {(name, path) for name, path in NAMED if name in NEVER_ALONE} <= ALONE


def test_no_two_files_of_tests_have_the_same_name() -> None:
    """Of two with one name, pytest collects neither, and a run of everything ends before it begins."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name, number in names.items() if number > 1} == set()
