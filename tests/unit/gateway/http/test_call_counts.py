"""Which call is counted as what; a mistake of ours, and one whom nobody names, too."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.http.call_counts import CallCount, counted, note_empty
from gateway.http.outcomes import _ENDS, Outcome, Why, end_of
from gateway.http.refusals import REFUSED, CallbackRefusedError, RefusedError
from gateway.leasing.results import WrongKeyError


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})


async def ended(answer: Response | BaseException | None) -> CallCount:
    """Make a call that ends so; None is a poll that finds nothing."""
    count = CallCount()

    async def endpoint(asked: Request) -> Response:
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            note_empty(asked)
        return answer or Response()

    try:
        await counted(endpoint, count)(request())
    except BaseException as error:  # noqa: BLE001 - a cancellation, too
        assert error is answer  # noqa: PT017 - whatever it is
    assert sum(count.buckets) == sum(count.outcomes.values()) == 1
    return count


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Response(), "ok"),
        (None, "empty"),
        (Response(status_code=404), "refused"),
        (WrongKeyError(), "refused"),
        (ClientDisconnect(), "gone"),
        (asyncio.CancelledError(), "gone"),
        (ValueError("a mistake"), "failed"),
    ],
)
async def test_each_call_is_counted_once_by_what_came_of_it(
    answer: Response | BaseException | None, outcome: str
) -> None:
    count = await ended(answer)
    assert count.outcomes[outcome] == 1


async def test_it_takes_as_long_as_its_answer_is_not_ready() -> None:
    count = CallCount()

    async def slow(_: Request) -> Response:
        await asyncio.sleep(0.03)
        return Response()

    await counted(slow, count)(request())
    assert count.seconds > 0.02


async def test_a_reason_is_counted_for_what_was_not_done() -> None:
    assert (await ended(CallbackRefusedError("elsewhere"))).whys["callback_url"] == 1
    assert (await ended(RefusedError("a field is missing"))).whys["ill_formed"] == 1
    assert not any((await ended(Response())).whys.values())


def test_every_error_that_callers_are_told_of_has_an_outcome_and_a_reason() -> None:
    assert set(REFUSED) <= set(_ENDS)
    for error in REFUSED:
        outcome, why = _ENDS[error]
        assert outcome is not Outcome.FAILED, error
        assert why is not Why.MISTAKE, error
    assert end_of(KeyError()) == (Outcome.FAILED, Why.MISTAKE)
