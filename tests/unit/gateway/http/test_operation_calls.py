"""What a supervisor and monitoring are told over HTTP; and openapi.yaml, which describes exactly the routes."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from broker_setup.settings import Settings
from gateway.app import build
from gateway.http.departure import Departure
from gateway.http.operation_calls import SOURCE, OperationCalls
from tests.support.gateway import SECRET_KEY, USERS
from tests.support.project import text

DOCUMENT: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
CALLS = {path for path in DOCUMENT["paths"] if path.startswith("/xqueue/") and path.endswith("/")}


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


# openapi.yaml: it is valid, it is packaged, and it leaves no route out.


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[Route]:
    monkeypatch.setenv("XQUEUE_SECRET_KEY", SECRET_KEY)
    app = build(Settings.model_validate({"users": USERS, "xqueues": {"openedx": None}}), Departure())
    return [route for route in app.rest.routes if isinstance(route, Route)]


def test_the_document_is_openapi_3_1() -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_every_route_is_in_the_document_and_the_document_has_no_other(routes: list[Route]) -> None:
    paths = {route.path for route in routes}
    # POST is taken without the last slash, too; the document says so once for all.
    assert paths - {path for path in paths if f"{path}/" in paths} == set(DOCUMENT["paths"])
    assert {path for path in paths if f"{path}/" in paths} == {path.removesuffix("/") for path in CALLS}


def test_what_the_document_says_of_methods_is_taken(routes: list[Route]) -> None:
    methods = {route.path: route.methods or set() for route in routes}
    for path, operations in DOCUMENT["paths"].items():
        assert {method.upper() for method in operations} <= methods[path], path


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for each in DOCUMENT["paths"].values() for operation in each.values()]
    assert sorted(set(names)) == sorted(names)


def test_every_call_of_graders_has_its_section_on_the_reference_page() -> None:
    page = text("docs/reference/grader-api.md")
    of_graders = [
        path
        for path, operations in DOCUMENT["paths"].items()
        if any("grader" in tag for operation in operations.values() for tag in operation["tags"])
    ]
    assert [path for path in of_graders if f"## {path.split('/')[2]}/" not in page] == []
