"""Which refusals are one kind in the log: those of one call by one error, so that a flood of them hides no other."""

from broker_setup.errors import BrokerUnavailableError
from gateway.http.forms import ShortError
from gateway.http.routes import kind_of

CALLS = frozenset({"/xqueue/submit", "/xqueue/login"})


def test_another_call_or_another_error_is_another_kind() -> None:
    short, down = ShortError("no descriptor"), BrokerUnavailableError("down")
    refused = [("/xqueue/submit/", short), ("/xqueue/login/", short), ("/xqueue/submit/", down)]
    assert len({kind_of(path, error, CALLS) for path, error in refused}) == len(refused)


def test_a_call_is_one_kind_with_and_without_its_slash_and_whatever_the_error_says() -> None:
    one, other = ShortError("no descriptor"), ShortError("no memory")
    assert kind_of("/xqueue/submit", one, CALLS) == kind_of("/xqueue/submit/", other, CALLS)


def test_paths_that_a_stranger_makes_up_are_one_kind() -> None:
    paths = [f"/xqueue/files/{number}/work.py" for number in range(1000)] + [f"/{number}" for number in range(1000)]
    assert len({kind_of(path, ShortError("no descriptor"), CALLS) for path in paths}) == 1
