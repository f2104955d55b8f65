"""Every call under fire: whatever is sent, the answer is the envelope, never a 500, and the next caller is served."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.gateway import USERS, Client, Gateway, lms_header
from tests.support.raw_http import connection

MANY = 10_000
OURS = "Basic " + base64.b64encode(f"lms:{USERS['lms']}".encode()).decode()
CALLS = ["login", "logout", "status", "submit", "get_queuelen", "get_submission", "put_result", "files"]
REDIRECTS = {301, 302}
ENVELOPES = {200, 404, 405, 410}

hostile = settings(
    max_examples=examples(25, 250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

NAMES = ["xqueue_header", "xqueue_body", "queue_name", "username", "password", "submission_id", "", "\x00", "é", "a[]"]
TEXTS = [
    "",
    "lms",
    "openedx",
    "null",
    "[" * 50_000,
    '{"a":' * 50_000,
    '{"submission_id": 1e999, "submission_key": "x"}',
    '{"submission_id": -1, "submission_key": "\\ud800"}',
    '{"submission_id": "%s", "submission_key": "x"}' % ("9" * 5_000),
    '{"submission_id": %s, "submission_key": "x"}' % ("9" * 5_000),
    '{"submission_id": 7, "submission_key": null}',
    '{"lms_callback_url": "x", "lms_key": "y", "queue_name": "\\ud800"}',
    '{"lms_callback_url": "x", "lms_key": "y", "queue_name": ["openedx"]}',
    json.dumps({"lms_callback_url": "\ud800" * 10, "lms_key": "", "queue_name": "openedx"}),
    lms_header(queue="nowhere"),
    "NaN",
    '"\\ud83d"',
    "\x00" * 100,
    "\ufeff{}",
    "x" * 200_000,
]
RAW = [b"%FF", b"%ED%A0%80", b"%00", b"%", b"%zz", b"%u1234", b"\xff\xfe", b"+", b"%0d%0a", b"'", b"<script>"]

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
raw = st.one_of(
    st.sampled_from(RAW),
    texts.map(lambda text: quote_from_bytes(text.encode()).encode()),
    st.binary(max_size=30).map(lambda some: quote_from_bytes(some).encode()),
)
pairs = st.tuples(st.sampled_from(NAMES).map(lambda name: quote_from_bytes(name.encode()).encode()) | raw, raw)
urlencoded = st.lists(pairs, max_size=6).map(lambda fields: b"&".join(b"=".join(pair) for pair in fields))
# What would make a poll wait for long is left out: waiting is no crime.
queries = urlencoded.map(lambda query: query.replace(b"wait", b"w").replace(b"block", b"b")[:8_000])

PIECES = [
    b"--limit\r\n",
    b"--limit--\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"--other\r\n",
    b'Content-Disposition: form-data; name="xqueue_header"\r\n\r\n',
    b'Content-Disposition: form-data; name="xqueue_body"\r\n\r\n',
    b'Content-Disposition: form-data; name="../../x"; filename="../../x"\r\n\r\n',
    b"Content-Disposition: form-data; name*=utf-8''%ff; filename*=x'y'%00\r\n\r\n",
    b"Content-Disposition: \xff\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    b"Content-Type: text/plain; charset=utf-7\r\n",
    lms_header().encode(),
    b"+2AA-",
    b"\xff\x00",
    b"x" * 100_000,
]
multiparts = st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=12).map(b"".join)

CONTENT_TYPES = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=limit",
    "multipart/form-data; boundary=limit; charset=utf-7",
    "multipart/form-data; boundary=limit; charset=unicode_escape",
    "multipart/form-data; boundary=",
    "multipart/form-data",
    "multipart/mixed; boundary=limit",
    "application/json",
    "text/plain; charset=utf-16",
    "\xff",
    "",
    "x" * 5_000,
]
HEADERS = {
    "Authorization": [
        OURS,
        OURS,
        OURS,
        "Basic",
        "Basic \xff",
        "Basic AAAA",
        "Basic " + "A" * 5_000,
        "Bearer x",
        "\xff",
    ],
    "Cookie": ["sessionid=x", "sessionid=\xff", "=", ";;;", 'sessionid="\\', "sessionid=" + "x" * 5_000, "a=b; " * 500],
    "Host": ["[", "x:y", "a b", "", "\xff", "localhost:99999999", "//evil/", "a" * 5_000],
    "X-Forwarded-Proto": ["https", "nonsense", "\xff"],
    "X-Forwarded-For": ["\xff", "1.2.3.4:x", ","],
    "Range": ["bytes=9-1", "bytes=\xff", "x"],
    "Accept-Encoding": ["\xff"],
    "Expect": ["100-continue"],
}
headers = st.fixed_dictionaries(
    {"Authorization": st.sampled_from(HEADERS["Authorization"]), "Content-Type": st.sampled_from(CONTENT_TYPES)},
    optional={name: st.sampled_from(values) for name, values in HEADERS.items() if name != "Authorization"},
)
methods = st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])


@dataclass(frozen=True)
class Fire:
    """Sends hostile requests to one gateway and checks what comes back."""

    gateway: Gateway
    witness: Client

    def __call__(
        self,
        call: str,
        head: dict[str, str],
        body: bytes,
        *,
        method: str = "POST",
        query: bytes = b"",
        tail: bytes = b"/",
    ) -> int:
        """Send one request; return the answer's status."""
        target = b"/xqueue/" + call.encode() + tail + (b"?" + query if query else b"")
        with connection(self.gateway.url) as attacker:
            sent = {name: value.encode("latin-1") for name, value in head.items()}
            expects = "Expect" in sent
            attacker.request(method, target, headers=sent, length=len(body), body=b"" if expects else body)
            answer = attacker.answer(without_body=method == "HEAD")
            if answer.status == 100:
                attacker.send(body)
                answer = attacker.answer(without_body=method == "HEAD")
        if answer.status == 400:
            # Not HTTP: the server refuses it before it reaches the gateway proper.
            assert method == "HEAD" or answer.body == b"Invalid HTTP request received."
        elif answer.status not in REDIRECTS and method != "HEAD":
            assert answer.status in ENVELOPES, (answer.status, answer.body[:200])
            assert answer.envelope[0] in (0, 1)
        assert answer.status in REDIRECTS | ENVELOPES | {400}
        assert self.witness.call("GET", "status/") == (0, "OK")
        return answer.status


@pytest.fixture(scope="module")
def witness(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.url) as client:
        yield client


@pytest.fixture(scope="module")
def fire(gateway: Gateway, witness: Client) -> Fire:
    return Fire(gateway, witness)


@pytest.fixture(autouse=True)
def unharmed(gateway: Gateway, witness: Client) -> Iterator[None]:
    """Whatever a test sent, nothing was logged as an error and a whole round works afterwards."""
    yield
    assert "Traceback" not in gateway.log, gateway.log[-3_000:]
    assert witness.submit(lms_header(queue="other"), "work")[0] == 0
    taken = witness.get("other", wait=5)
    assert taken
    assert witness.put(taken["xqueue_header"], "reply") == (0, "")


bodies = urlencoded | multiparts | st.binary(max_size=100)
tails = st.sampled_from([b"/", b"/", b"/", b"", b"//", b"/%00", b"/\xff", b"/../", b"/%2e%2e/x", b"/a.b.c/x"])
requests = st.fixed_dictionaries(
    {"head": headers, "body": bodies, "method": methods, "query": queries, "tail": tails},
)


@pytest.mark.parametrize("call", CALLS)
@hostile
@given(request=requests)
def test_hostile_requests_get_an_envelope(fire: Fire, call: str, request: dict[str, Any]) -> None:
    fire(call, **request)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("content_type", CONTENT_TYPES[:3])
def test_thousands_of_fields_get_an_envelope(fire: Fire, call: str, content_type: str) -> None:
    urlencoded_form = b"&".join(b"f%d=x" % number for number in range(MANY))
    part = b'--limit\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'
    body = urlencoded_form if "multipart" not in content_type else part * MANY + b"--limit--\r\n"
    head = {"Authorization": OURS, "Content-Type": content_type}
    fire(call, head, body, query=urlencoded_form[:60_000])


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text)[:30])
@pytest.mark.parametrize("call", ["submit", "put_result", "login"])
def test_every_hostile_text_in_every_field_gets_an_envelope(fire: Fire, call: str, text: str) -> None:
    value = quote_from_bytes(text.encode()).encode()
    head: dict[str, Any] = {"Authorization": OURS, "Content-Type": CONTENT_TYPES[0]}
    body = b"&".join(name.encode() + b"=" + value for name in NAMES[:5])
    assert fire(call, head, body) == 200
