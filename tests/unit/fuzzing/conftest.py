"""Properties of messages are read as the services read them."""

from collections.abc import Iterator

import pytest

from tests.support.parsers import tolerant


@pytest.fixture(scope="package", autouse=True)
def _tolerant() -> Iterator[None]:
    with tolerant():
        yield
