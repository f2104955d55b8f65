"""Fixtures for the tests of graders, which pytest finds where this package is installed."""

from typing import TYPE_CHECKING

import pytest

# What a run of tests does not use, it does not import.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xqueue_grader.sandbox import Sandbox
    from xqueue_grader.trying import Tried


@pytest.fixture
def xqueue_sandbox() -> "Iterator[Sandbox]":
    """Serve submissions on this machine while the test runs: a Sandbox with the queue openedx."""
    from xqueue_grader.sandbox import Sandbox  # noqa: PLC0415

    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def xqueue_try() -> "Callable[..., Tried]":
    """Give the test a function: `xqueue_try(grade, "what a student typed", grader_payload=...)`."""
    from xqueue_grader.trying import try_here  # noqa: PLC0415

    return try_here
