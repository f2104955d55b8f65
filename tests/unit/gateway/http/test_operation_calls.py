"""What a supervisor and monitoring are told over HTTP."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.http.operation_calls import OperationCalls


@pytest.mark.parametrize(
    ("problems", "ahead", "status"),
    [([], -0.00012, 200), ([], 2.34567, 200), (["this machine's clock is 180 s ahead"], 180.0, 503)],
)
async def test_how_far_the_clock_is_off_is_told_whether_that_is_a_problem_or_not(
    problems: list[str], ahead: float, status: int
) -> None:
    async def found() -> list[str]:
        return problems

    readiness: Any = SimpleNamespace(problems=found, clock_ahead=ahead)
    request: Any = None
    answer = await OperationCalls(readiness).readyz(request)
    told = json.loads(bytes(answer.body))
    assert (answer.status_code, told["problems"]) == (status, problems)
    assert told["clock_ahead_seconds"] == pytest.approx(ahead, abs=0.001)
