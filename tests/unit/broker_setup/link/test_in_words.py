"""What an operator reads of an error: words, also where it brings none."""

import asyncio

import pytest

from broker_setup.link.in_words import in_words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "the connection was lost"),
        (asyncio.CancelledError(asyncio.CancelledError()), "the connection was lost"),
        (TimeoutError(), "no answer in time"),
        (OSError("refused,\n  again"), "refused, again"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_every_error_has_words(error: BaseException | None, words: str) -> None:
    assert in_words(error) == words
