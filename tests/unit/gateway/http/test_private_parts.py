"""What we use of libraries that they do not promise: an upgrade that takes it away says so here, not in production."""

import inspect
from typing import Any

import pytest
from aiormq.channel import Channel
from aiormq.connection import Connection
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
        (RequestResponseCycle, ("response_complete", "response_started", "keep_alive")),
        (MultiPartParser, ("_current_part", "spool_max_size")),
        (MultipartPart, ("content_disposition", "field_name", "file", "data", "item_headers")),
        (Connection, ("write_queue", "channels", "__connection_unblocked")),
        (Channel, ("on_consumer_cancel_callbacks", "publisher_confirms")),
    ],
)
def test_the_values_that_we_look_at_are_still_there(theirs: type, names: tuple[str, ...]) -> None:
    source = inspect.getsource(theirs)
    assert [name for name in names if name not in source] == []


def test_the_calls_that_we_make_are_still_there() -> None:
    for name in ("_unset_keepalive_if_required", "send_400_response", "on_response_complete"):
        assert hasattr(HttpToolsProtocol, name), name
    assert issubclass(_Flow, FlowControl)
    assert {"pause_reading", "resume_reading"} <= set(methods(FlowControl))
    assert {"wait", "mandatory", "properties"} <= set(inspect.signature(Channel.basic_publish).parameters)
    for acks in (Channel.basic_ack, Channel.basic_nack, Channel.basic_reject):
        assert "wait" in inspect.signature(acks).parameters


def test_the_tables_of_the_codec_that_we_change_are_still_the_ones_it_reads() -> None:
    assert {"shortstr", "timestamp", "table"} <= decode.METHODS.keys()
    assert {b"T", b"F"} <= decode.TABLE_MAPPING.keys()
    assert "queue-name" in constants.DOMAIN_REGEX


def test_when_the_last_frame_came_stands_where_we_look() -> None:
    assert "_Connection__last_frame_time" in Connection.__init__.__code__.co_names
