"""What we use of libraries that they do not promise: an upgrade that takes it away says so here, not in production."""

import inspect
from typing import Any

import pytest
from pamqp import constants, decode
from starlette.formparsers import MultiPartParser, MultipartPart
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.http.connection import BoundedConnection
from gateway.http.multipart import _Parser
from gateway.http.one_by_one import OneByOne, _Flow

# What ours define and nothing beneath them calls.
OUR_OWN = {"feed", "has_unparsed", "drop"}


def methods(of: type) -> dict[str, Any]:
    return {name: value for name, value in vars(of).items() if inspect.isfunction(value) and not name.startswith("_")}


@pytest.mark.parametrize(
    ("ours", "theirs"), [(OneByOne, HttpToolsProtocol), (BoundedConnection, OneByOne), (_Parser, MultiPartParser)]
)
def test_every_method_of_ours_takes_the_place_of_one_of_theirs_with_the_same_parameters(
    ours: type, theirs: type
) -> None:
    for name, method in methods(ours).items():
        if name in OUR_OWN:
            continue
        assert hasattr(theirs, name), f"{theirs.__name__} calls no {name} any more"
        replaced = inspect.signature(getattr(theirs, name)).parameters
        assert len(inspect.signature(method).parameters) == len(replaced), name


@pytest.mark.parametrize(
    ("theirs", "names"),
    [
        (HttpToolsProtocol, ("app", "cycle", "flow", "headers", "loop", "parser", "pipeline", "transport", "url")),
        (HttpToolsProtocol, ("server_state.total_requests", "timeout_keep_alive", "timeout_keep_alive_task")),
        (RequestResponseCycle, ("response_complete", "response_started", "keep_alive", "waiting_for_100_continue")),
        (RequestResponseCycle, ("default_headers", "disconnected", "flow", "message_event", "on_response", "scope")),
        (MultiPartParser, ("_current_part", "spool_max_size")),
        (MultipartPart, ("content_disposition", "field_name", "file", "data", "item_headers")),
    ],
)
def test_the_values_that_we_look_at_are_still_there(theirs: type, names: tuple[str, ...]) -> None:
    source = inspect.getsource(theirs)
    assert [name for name in names if name not in source] == []


def test_the_calls_that_we_make_are_still_there() -> None:
    for name in ("timeout_keep_alive_handler", "send_400_response", "on_response_complete"):
        assert hasattr(HttpToolsProtocol, name), name
    assert issubclass(_Flow, FlowControl)
    assert {"pause_reading", "resume_reading"} <= set(methods(FlowControl))


def test_the_kinds_of_values_in_a_header_table_are_read_where_we_look_for_them() -> None:
    assert {b"t", b"l", b"T", b"D"} <= decode.TABLE_MAPPING.keys()
    assert "queue-name" in constants.DOMAIN_REGEX
