"""Within pytest: the fixture `program`, the marks `weight` and `hidden`, and a line of JSON for all that is found.

The tests are the author's and run as the grader does; the student's program alone runs in an isolation, which the
order, a file that `--program-order` names, describes.
"""

import json
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from xqueue_grader.programs.bubblewrap import Bubblewrap
from xqueue_grader.programs.container import Container
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.plain import Plain
from xqueue_grader.programs.program import IsolationError, Program
from xqueue_grader.programs.tested import ProgramFailedError, TestedProgram

KINDS: dict[str, Any] = {kind.name: kind for kind in (Bubblewrap, Plain, Container)}
SHOWN = 2_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option."""
    parser.addoption("--program-order", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks, and leave in order when it has been long enough: what runs is ended first."""
    config.addinivalue_line("markers", "weight(points): what the test is worth, 1 without it")
    config.addinivalue_line("markers", "hidden: students see nothing of the test but that there is one")
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> TestedProgram:
    """The student's program."""
    path = request.config.getoption("--program-order")
    order = json.loads(path.read_bytes())
    files = {name: (path.parent / "files" / name).read_bytes() for name in order["files"]}
    isolation = {key: tuple(value) if isinstance(value, list) else value for key, value in order["isolation"].items()}
    return TestedProgram(
        Program(tuple(order["command"]), files),
        order["name"],
        Limits(**order["limits"]),
        KINDS[order["kind"]](**isolation),
    )


def say(config: pytest.Config, **found: object) -> None:
    """Write a line for the grader."""
    path = config.getoption("--program-order").with_name("found")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell of all tests before the first one runs, so that none is forgotten in the score."""
    for item in items:
        weight = item.get_closest_marker("weight")
        say(
            config,
            test=item.nodeid,
            name=item.name,
            weight=weight.args[0] if weight else 1,
            hidden=item.get_closest_marker("hidden") is not None,
        )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Tell of each end: passed, failed with a reason, skipped, or not run through a fault of this machine."""
    outcome = yield
    report = outcome.get_result()
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, IsolationError):
        say(item.config, broken=str(error))
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = str(error) if isinstance(error, ProgramFailedError) else getattr(crash, "message", str(error))
        say(item.config, test=item.nodeid, share=0, message=message[:SHOWN])
    elif report.skipped:
        say(item.config, test=item.nodeid, skipped=True)
    elif report.when == "call":
        say(item.config, test=item.nodeid, share=1)
