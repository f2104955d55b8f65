"""What fails for want of something on this machine is told from what others did."""

import errno

import pytest

from broker_setup.process.shortages import shortage, shortage_now
from tests.support.shortages import no_descriptors


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (OSError(errno.EMFILE, "as a library words it"), "too many open files"),
        (OSError(errno.ENFILE, ""), "too many open files in system"),
        (OSError(errno.ENOSPC, ""), "no space left on device"),
        (OSError(errno.EAGAIN, "fork"), "resource temporarily unavailable"),
        (MemoryError(), "cannot allocate memory"),
        (RuntimeError("can't start new thread"), "no thread could be started"),
        (OSError(errno.ECONNREFUSED, ""), None),
        (OSError("without a number"), None),
        (TimeoutError(), None),
        (RuntimeError("something else"), None),
    ],
)
def test_a_shortage_is_told_from_others_failures(error: Exception, lacks: str | None) -> None:
    assert shortage(error) == lacks


def test_whether_there_are_descriptors_left_can_be_asked() -> None:
    assert shortage_now() is None
    with no_descriptors():
        assert shortage_now() == "too many open files"
    assert shortage_now() is None
