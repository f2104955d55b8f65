"""The LMS's site, one for all tests here: each test has a queue of its own there."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.support.lms_site import LmsSite, installed, running_site

_numbers = count(1)


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LmsSite]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    python = installed(shared / "edx-submissions")
    with running_site(python, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def site(real_site: LmsSite) -> Iterator[LmsSite]:
    yield real_site
    real_site.answer_all(0)
    real_site.be_slow(0)


@pytest.fixture
def there(site: LmsSite) -> str:
    """A queue that no other test has."""
    return f"queue {next(_numbers)} & more"
