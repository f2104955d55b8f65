"""What is judged without running anything: comparisons, scores, reports, and what an isolation is called with."""

import json
import math
import time
from pathlib import Path

import pytest

from broker_setup.wire.replies import FINE, check_strictly
from xqueue_grader.programs.bubblewrap import Bubblewrap
from xqueue_grader.programs.checks import check_for
from xqueue_grader.programs.container import Container
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.program import Program
from xqueue_grader.programs.pytest_files import results_of
from xqueue_grader.programs.report import report
from xqueue_grader.programs.score import Result, Score


@pytest.mark.parametrize(
    ("kind", "printed", "expected", "right"),
    [
        ("text", "a b  \r\nc\n\n\n", "a b\nc", True),
        ("text", " a", "a", False),
        ("text", "a\n\nb", "a\nb", False),
        ("words", " a\n b ", "a b", True),
        ("exact", "a\n", "a", False),
        ("numbers", "0.30000000000000004 x", "0.3 x", True),
        ("numbers", "1e2", "100", True),
        ("numbers", "1.01", "1", False),
        ("numbers", "1 2", "1", False),
        ("numbers", "nan", "1", False),
        ("numbers", "inf", "1e999", False),
        ("numbers", "1_0", "10", False),
        ("numbers", "\u0661", "1", False),
        ("numbers", "nan", "nan", True),
    ],
)
def test_what_is_right(kind: str, printed: str, expected: str, *, right: bool) -> None:
    check = check_for(kind, 1e-6)
    assert check
    assert check(printed, expected) is right


def test_a_comparison_of_what_is_long_takes_no_time() -> None:
    check = check_for("numbers", 1e-6)
    assert check
    began = time.process_time()
    assert not check("9" * 1_000_000, "9" * 999_999)
    assert not check("1" + "1." * 500_000, "1 " * 500_000)
    assert time.process_time() - began < 5


def test_a_score_is_1_only_where_all_is_right() -> None:
    nearly = Score([Result("a", 1e9, 1.0), Result("b", 1e-9, 0.0)])
    assert (nearly.correct, nearly.share < 1) == (False, True)
    assert Score([Result("a", 0.1, 1.0)] * 10).share == 1
    assert Score([Result("a", 3, 0.5), Result("b", 1, 1.0)]).share == 0.625


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_no_case_earns_what_is_no_share(share: float) -> None:
    with pytest.raises(ValueError, match="no share"):
        Result("a", 1, share)


def test_of_tests_the_worst_end_counts_and_none_is_forgotten() -> None:
    told = [{"test": name, "name": name, "weight": 1, "hidden": False} for name in ("good", "torn", "late", "skipped")]
    ends = [
        {"test": "good", "share": 1},
        {"test": "torn", "share": 1},
        {"test": "torn", "share": 0, "message": "in its teardown"},
        {"test": "skipped", "skipped": True},
    ]
    found = {result.name: (result.share, result.message) for result in results_of([*told, *ends])}
    assert found == {
        "good": (1, ""),
        "torn": (0, "in its teardown"),
        "late": (0, "There was no time left for this test."),
    }


def test_a_report_is_bounded_whatever_there_is_to_say() -> None:
    anything = "".join(map(chr, range(0x3000))) + "\ud800\udfff\ufffe\uffff<&>\"'" * 1_000
    results = [Result(anything, 1, 0, message=anything, input=anything, output=anything) for _ in range(500)]
    message = report(Score([*results, Result("hidden one", 1, 0, hidden=True, output="secret", message="secret")]))
    assert len(message) < 1_000_000
    assert "secret" not in message
    assert "and 396 more" in message
    assert check_strictly(json.dumps({"correct": False, "score": 0, "msg": message}).encode()) == FINE


def test_a_container_gets_no_network_no_powers_and_all_limits() -> None:
    argv = Container("podman", "python:3.13-slim").argv(["python3", "p.py"], Path("/f"), ["p.py"], Limits(), "name-1")
    said = " ".join(argv)
    for part in (
        "podman run --rm --interactive --name name-1",
        "--network none --read-only --cap-drop ALL --security-opt no-new-privileges",
        "--user 65534:65534",
        "--memory=268435456 --memory-swap=268435456",
        "--pids-limit=9",
        "--ulimit=cpu=2:2",
        "--ulimit=fsize=1048576:1048576",
        "--volume /f/p.py:/box/p.py:ro",
    ):
        assert part in said
    assert argv[-3:] == ["python:3.13-slim", "python3", "p.py"]


def test_bubblewrap_shows_a_program_its_own_files_alone() -> None:
    argv = Bubblewrap("bwrap", ("/opt/java",)).argv(["java", "P"], Path("/f"), ["P.java"], Limits(), "name")
    bound = [argv[at + 1] for at, word in enumerate(argv) if word in {"--ro-bind", "--ro-bind-try"}]
    assert {"/usr", "/opt/java", "/f/P.java"} <= set(bound)
    assert not any(path in {"/", "/etc", "/f", "/home", "/root", "/var"} for path in bound)
    assert "--bind" not in argv


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\0", "x" * 201])
def test_no_files_name_leads_out_of_the_folder(name: str) -> None:
    with pytest.raises(ValueError, match="file's name"):
        Program(("true",), {name: b""})
