"""Each step of a migration follows from what stands at the broker, wherever the run before it was killed."""

from pathlib import Path

import pytest

from broker_setup.operator.migrate.other_broker import other_broker
from broker_setup.operator.migrate.plan import Seen, Standing, Step, in_short, meanwhile, next_step
from broker_setup.settings import Settings


def test_it_comes_to_its_end_step_by_step() -> None:
    different, missing, right = Standing.DIFFERENT, Standing.MISSING, Standing.RIGHT
    way = [
        Seen(different, bound=True),
        Seen(different, bound=True, temporary=True),
        Seen(different, bound=False, temporary=True, temporary_bound=True),
        Seen(missing, bound=False, temporary=True, temporary_bound=True),
        Seen(right, bound=False, temporary=True, temporary_bound=True),
        Seen(right, bound=True, temporary=True),
        Seen(right, bound=True),
    ]
    assert [next_step(seen) for seen in way] == [
        Step.MAKE_TEMPORARY,
        Step.MOVE_OUT,
        Step.EMPTY,
        Step.RENEW,
        Step.MOVE_BACK,
        Step.CLEAR,
        Step.NOTHING,
    ]


def test_killed_while_neither_queue_was_bound_it_goes_on_in_the_same_direction() -> None:
    assert next_step(Seen(Standing.DIFFERENT, bound=False, temporary=True)) is Step.MOVE_OUT
    assert next_step(Seen(Standing.RIGHT, bound=False, temporary=True)) is Step.MOVE_BACK


def test_what_is_missing_is_left_to_declare() -> None:
    assert next_step(Seen(Standing.MISSING, bound=False)) is Step.NOTHING


def test_nothing_expires_in_the_temporary_queue() -> None:
    assert meanwhile({"x-queue-type": "quorum", "x-message-ttl": 1000, "x-max-length": 2}) == {"x-queue-type": "quorum"}


@pytest.mark.parametrize(
    ("received", "current", "short"),
    [
        ("the value '' of type 'longstr'", "none", "x-a is none, and '' in this version"),
        ("none", "the value '20' of type 'signedint'", "x-a is '20', and none in this version"),
    ],
)
def test_what_differs_is_put_so_that_a_table_can_show_it(received: str, current: str, short: str) -> None:
    why = f"inequivalent arg 'x-a' for queue 'q' in vhost '/': received {received} but current is {current}"
    assert in_short(f"PRECONDITION_FAILED - {why}") == short
    assert in_short("a migration was broken off") == "a migration was broken off"


def test_the_other_broker_is_trusted_as_ours_is() -> None:
    settings = Settings().model_copy(update={"broker_ca_bundle": Path("/etc/ca.pem")})
    assert "cafile=%2Fetc%2Fca.pem" in other_broker(settings, "amqps://u:p@new.example/")
