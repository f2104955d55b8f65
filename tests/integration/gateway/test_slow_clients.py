"""Clients that are slow, endless or too many: each is refused in time, and the others are served."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, wait_until
from tests.support.raw_http import Answer, Connection, connection
from tests.support.waiting import eventually

MB = 1024 * 1024
CONNECTIONS = 40
HEAD_SECONDS, BODY_SECONDS, STALL_SECONDS = 1.5, 4.0, 1.0
# Who is refused is refused by then: without the limits above, a client is waited for much longer.
SLACK_SECONDS = 10.0
UNAVAILABLE = (1, "The queue is unavailable at the moment, please try again")
TOO_LATE = (1, "The request did not come in time")
HEAD_TOO_LARGE = (1, "The head of the request is too large")


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "XQUEUE_MAX_CONNECTIONS": str(CONNECTIONS),
        "XQUEUE_HEAD_TIMEOUT": str(HEAD_SECONDS),
        "XQUEUE_BODY_TIMEOUT": str(BODY_SECONDS),
        "XQUEUE_STALL_TIMEOUT": str(STALL_SECONDS),
        "XQUEUE_MAX_HEAD_SIZE": "8192",
        "XQUEUE_MAX_FORM_SIZE": str(4 * MB),
        "XQUEUE_MAX_FORMS_SIZE": str(6 * MB),
    }


@pytest.fixture
def attacker(gateway: Gateway) -> Iterator[Connection]:
    with connection(gateway.url) as made:
        yield made


@pytest.fixture(autouse=True)
def others_are_served(gateway: Gateway) -> Iterator[None]:
    yield
    with Client(gateway.url) as client:
        assert client.call("GET", "status/") == (0, "OK")


def refused_within(attacker: Connection, seconds: float) -> Answer:
    start = time.monotonic()
    answer = attacker.answer()
    assert time.monotonic() - start < seconds
    assert attacker.is_closed()
    return answer


def drip(attacker: Connection, piece: bytes, every: float = 0.2) -> None:
    """Send a piece now and then until the gateway has had enough."""
    with contextlib.suppress(ConnectionError):
        while attacker.is_silent_for(every):
            attacker.send(piece)


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /xqueue/status/ HTTP/1.1\r\nHost: x\r\n"], ids=repr)
def test_a_head_that_stops_is_refused(attacker: Connection, sent: bytes) -> None:
    attacker.send(sent)
    answer = refused_within(attacker, HEAD_SECONDS + SLACK_SECONDS)
    assert (answer.status, answer.envelope) == (408, TOO_LATE)


def test_a_head_that_drips_is_refused_however_lively(attacker: Connection) -> None:
    attacker.send(b"GET /xqueue/status/ HTTP/1.1\r\n")
    start = time.monotonic()
    drip(attacker, b"x: y\r\n")
    assert time.monotonic() - start < HEAD_SECONDS + SLACK_SECONDS
    assert attacker.answer().status == 408


def test_a_second_request_has_as_long_as_the_first(attacker: Connection) -> None:
    attacker.request("GET", "/xqueue/status/")
    assert attacker.answer().envelope == (0, "OK")
    assert attacker.is_silent_for(HEAD_SECONDS + 1)
    attacker.send(b"GET /xq")
    assert refused_within(attacker, HEAD_SECONDS + SLACK_SECONDS).status == 408


def test_a_body_that_stops_is_refused(attacker: Connection) -> None:
    attacker.request("POST", "/xqueue/login/", length=1000, body=b"username=")
    answer = refused_within(attacker, STALL_SECONDS + SLACK_SECONDS)
    assert (answer.status, answer.envelope) == (408, TOO_LATE)


@pytest.mark.parametrize("call", ["login", "submit", "nowhere"])
def test_a_body_that_drips_is_refused_however_lively(attacker: Connection, call: str) -> None:
    attacker.request("POST", f"/xqueue/{call}/", length=100_000, body=b"username=")
    start = time.monotonic()
    drip(attacker, b"x")
    assert time.monotonic() - start < BODY_SECONDS + SLACK_SECONDS


ENDLESS_HEADS: dict[str, tuple[bytes, bytes]] = {
    "headers": (b"GET /xqueue/status/ HTTP/1.1\r\n", b"header: value\r\n" * 100),
    "one name": (b"GET /xqueue/status/ HTTP/1.1\r\n", b"x" * 1000),
    "one value": (b"GET /xqueue/status/ HTTP/1.1\r\nx: ", b"x" * 1000),
    "a URL": (b"GET /xqueue/", b"x" * 1000),
    "a chunk's extension": (
        b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 1000,
    ),
    "trailers": (
        b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"header: value\r\n" * 100,
    ),
}


@pytest.mark.parametrize(("begin", "piece"), ENDLESS_HEADS.values(), ids=ENDLESS_HEADS)
def test_an_endless_head_is_refused_soon(gateway: Gateway, begin: bytes, piece: bytes) -> None:
    def bytes_until_refused() -> int:
        sent = 0
        with connection(gateway.url) as attacker:
            attacker.send(begin)
            with contextlib.suppress(ConnectionError):
                while attacker.is_silent_for(0.01):
                    attacker.send(piece)
                    sent += len(piece)
            assert attacker.first_line_if_any() in ("", "HTTP/1.1 431 Refused", "HTTP/1.1 400 Bad Request")
        return sent

    # A machine that stands still for a moment lets much come in that the gateway has not looked at.
    assert any(bytes_until_refused() < 100_000 for _ in range(5))


def test_a_head_that_is_too_large_is_refused_though_it_came_at_once(attacker: Connection) -> None:
    attacker.request("GET", "/xqueue/status/?" + "x" * 9000)
    answer = attacker.answer()
    assert (answer.status, answer.envelope) == (431, HEAD_TOO_LARGE)


def serves(gateway: Gateway, port: int) -> bool:
    """Say whether the gateway has a connection from that port of ours."""
    assert gateway.process
    held = psutil.Process(gateway.process.pid).net_connections("tcp4")
    return any(each.raddr and each.raddr.port == port for each in held)


def test_an_answer_that_nobody_reads_is_given_up(gateway: Gateway, lms: Client, grader: Client) -> None:
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert lms.call("POST", "submit/", data=fields, files={"a": b"x" * 40 * MB})[0] == 0
    taken = grader.get_one()
    path = taken["xqueue_files"]["a"].removeprefix(gateway.url)
    with contextlib.closing(Connection(gateway.url, receive_buffer=4096)) as reader:
        reader.request("GET", path)
        wait_until(lambda: serves(gateway, reader.port), PATIENCE_SECONDS, "the gateway does not take the connection")
        wait_until(lambda: not serves(gateway, reader.port), PATIENCE_SECONDS, "the gateway waits for its reader")
        with pytest.raises((ConnectionError, AssertionError)):
            reader.answer()


async def test_too_many_connections_are_refused_with_the_envelope_until_some_have_gone(gateway: Gateway) -> None:
    def refused() -> bool:
        with ExitStack() as held:
            for _ in range(CONNECTIONS):
                held.enter_context(connection(gateway.url)).request("POST", "/xqueue/login/", length=10)
            with connection(gateway.url) as beyond:
                beyond.request("GET", "/xqueue/status/")
                answer = beyond.answer()
            with connection(gateway.url) as of_the_other_dialect:
                of_the_other_dialect.request("GET", "/xqueue/status/", headers={"Accept": "application/json"})
                other = of_the_other_dialect.answer()
            assert other.headers["content-type"] == "application/json"
            return (answer.status, answer.envelope, other.status) == (503, UNAVAILABLE, 503)

    # Another try where the first of them were given up before the last had come.
    await eventually(refused)

    def served() -> bool:
        with connection(gateway.url) as again:
            again.request("GET", "/xqueue/status/")
            return again.answer().status == 200

    await eventually(served)


async def test_forms_beyond_the_memory_for_them_are_refused_and_fit_again_afterwards(
    gateway: Gateway, lms: Client
) -> None:
    assert lms.login() == (0, "Logged in")
    head = {"Cookie": f"sessionid={lms.session.cookies['sessionid']}"}
    fields = {"xqueue_header": lms_header(), "xqueue_body": "x" * 3 * MB}

    def refused() -> bool:
        # Another try where the gateway had not read all of the first form yet, or had given it up.
        with connection(gateway.url) as first:
            first.request("POST", "/xqueue/submit/", headers=head, length=4 * MB - 10, body=b"x" * (4 * MB - 1000))
            return any(lms.raw("POST", "submit/", data=fields).status_code == 503 for _ in range(3))

    await eventually(refused)
    await eventually(lambda: lms.raw("POST", "submit/", data=fields).json()["return_code"] == 0)


def test_a_long_poll_is_not_a_slow_client(grader: Client) -> None:
    start = time.monotonic()
    assert grader.get("other", wait=BODY_SECONDS + 1) is None
    assert time.monotonic() - start > BODY_SECONDS


def test_a_slow_but_lively_upload_is_taken(gateway: Gateway, lms: Client) -> None:
    assert lms.login() == (0, "Logged in")
    body = f"xqueue_header={lms_header()}&xqueue_body=work".encode()
    head = {"Cookie": f"sessionid={lms.session.cookies['sessionid']}"}
    with connection(gateway.url) as slow:
        slow.request("POST", "/xqueue/submit/", headers=head, length=len(body))
        start = time.monotonic()
        size = len(body) // 10  # all in all longer than one may stall, with pauses that are much shorter
        for place in range(0, len(body), size):
            slow.send(body[place : place + size])
            assert place + size >= len(body) or slow.is_silent_for(0.2)
        assert time.monotonic() - start > 1.5 * STALL_SECONDS
        assert slow.answer().envelope[0] == 0
