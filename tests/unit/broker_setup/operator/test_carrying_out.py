"""A command that breaks off says what of its work is done."""

import pytest

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.operator.carrying_out import InterruptedCommandError, carry_out

SO_FAR = "7 done so far"


async def work(end: BaseException | None = None) -> int:
    if end:
        raise end
    return 7


def test_what_the_work_returns_is_returned() -> None:
    assert carry_out(work(), lambda: SO_FAR) == 7


@pytest.mark.parametrize("error", [BrokerUnavailableError("it is away"), UnroutableError("it came back")], ids=repr)
def test_an_error_of_the_brokers_says_what_is_done(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        carry_out(work(error), lambda: SO_FAR)
    assert str(caught.value) == f"{error}; {SO_FAR}"


def test_who_interrupts_it_reads_what_is_done() -> None:
    with pytest.raises(InterruptedCommandError, match=f"^interrupted; {SO_FAR}$"):
        carry_out(work(KeyboardInterrupt()), lambda: SO_FAR)
