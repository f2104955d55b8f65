"""Requests made from openapi.yaml, good and bad: every answer is one that the document describes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import sampled_from
from schemathesis import APIOperation, Case, GenerationMode, checks

from gateway.http.operation_calls import SOURCE
from tests.support.examples import examples
from tests.support.gateway import USERS, Client, Gateway, lms_header

FOUND: list[Any] = list(schemathesis.openapi.from_path(SOURCE).get_all_operations())
OPERATIONS = [each.ok() for each in FOUND]
# Where there is nothing to get wrong but the path, there is only good data.
CASES = [
    pytest.param(each, mode, id=f"{mode.value} {each.label}")
    for each in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or each.query or each.body
]
# The refusals of this API are answers like others, so that a bad request is taken is not for these checks to see.
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
# Either is asked for by its Accept header.
DIALECTS = ("*/*", "application/json")
# Waiting is no crime, but takes its time.
SLOW = ("wait", "block")

hostile = settings(
    max_examples=examples(12, 100),
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.deserializer("text/html")  # type: ignore[untyped-decorator]  # mypy does not read it: pyproject.toml
def envelope_of(_: Any, response: Any) -> Any:
    """Let schemas be checked though the envelope is sent as text/html."""
    return json.loads(response.content)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.max_redirects = 0
        yield made


@pytest.fixture(autouse=True)
def unharmed(gateway: Gateway) -> Iterator[None]:
    yield
    assert "Traceback" not in gateway.log, gateway.log[-3_000:]
    with Client(gateway.url) as client:
        assert client.submit(lms_header(queue="other"), "work")[0] == 0


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_what_the_document_describes_is_what_comes(
    gateway: Gateway, session: requests.Session, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode
) -> None:
    @hostile
    @given(case=operation.as_strategy(mode), accept=sampled_from(DIALECTS))
    def attack(case: Case[Any], accept: str) -> None:
        for name in SLOW:
            case.query.pop(name, None)
        case.call_and_validate(
            base_url=gateway.url,
            session=session,
            headers={"Accept": accept},
            auth=("lms", USERS["lms"]),
            allow_redirects=False,
            timeout=15,
            checks=CHECKS,
        )

    attack()
