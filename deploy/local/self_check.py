"""One submission all the way round through the legacy HTTP API: the hello-world problem of Tutor's documentation."""

import http.server
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import parse_qsl

import requests

from deploy.local.console import Step
from deploy.local.errors import LocalError

HEADER_KEY = "self-check"
BODY = json.dumps(
    {
        "student_info": json.dumps({"anonymous_student_id": "self-check", "submission_time": "20130101000000"}),
        "student_response": 'def hello():\n    return "hello world"\n',
        "grader_payload": json.dumps({"name": "hello world"}),
    }
)
REPLY = json.dumps({"correct": True, "score": 0.9, "msg": "<p>Good job!</p>"})
TIMEOUT = 10.0  # seconds for each call, and for the callback


class SelfCheckError(LocalError):
    """The round was not completed."""


def run(base_url: str, user: str, password: str, queue_name: str, report: Callable[[str], None]) -> bool:
    """Take one submission round, reporting each step; return False where the queue holds somebody's work already."""
    with _Client(base_url, report) as client, _callback_server() as (callback_url, received):
        with client.step("login") as step:
            client.post("login", username=user, password=password)
            step.outcome = f"as {user}"
        waiting = client.get("get_queuelen", queue_name=queue_name)
        if waiting != 0:
            report(f"- not done: {waiting} wait in {queue_name}, and that is work for its graders, not for a check")
            return False
        header = json.dumps({"lms_callback_url": callback_url, "lms_key": HEADER_KEY, "queue_name": queue_name})
        with client.step("submit") as step:
            client.post("submit", xqueue_header=header, xqueue_body=BODY)
            step.outcome = f"a Python answer to {queue_name}"
        with client.step("get_submission") as step:
            lease = client.take(queue_name)
            step.outcome = f"submission {json.loads(lease)['submission_id']}"
        with client.step("put_result") as step:
            client.post("put_result", xqueue_header=lease, xqueue_body=REPLY)
            step.outcome = "graded 0.9, “Good job!”"
        with client.step("callback") as step:
            _verify(received, header)
            step.outcome = "the LMS got header and result, byte for byte"
    return True


def _verify(received: "queue.SimpleQueue[list[tuple[str, str]]]", header: str) -> None:
    try:
        form = received.get(timeout=TIMEOUT)
    except queue.Empty:
        raise SelfCheckError(f"the callback did not come within {TIMEOUT:.0f} s; is the relay running?") from None
    if sorted(form) != [("xqueue_body", REPLY), ("xqueue_header", header)]:
        raise SelfCheckError(f"the callback's form is not what was sent: {form}")


class _Client:
    """The API as the LMS and graders use it."""

    def __init__(self, base_url: str, report: Callable[[str], None]) -> None:
        self._base_url = base_url
        self._report = report
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between us and the loopback

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        under_way = Step(f"- {name}")
        yield under_way
        self._report(under_way.line())

    def get(self, call: str, **parameters: str) -> Any:
        return self._content(call, self._session.get(self._url(call), params=parameters, timeout=TIMEOUT))

    def post(self, call: str, **form: str) -> Any:
        return self._content(call, self._session.post(self._url(call), data=form, timeout=TIMEOUT))

    def take(self, queue_name: str) -> str:
        """Fetch our submission; return its xqueue_header."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            url = self._url("get_submission")
            answer = self._session.get(url, params={"queue_name": queue_name}, timeout=TIMEOUT).json()
            if answer["return_code"] == 0:
                break
            if time.monotonic() > deadline:
                raise SelfCheckError(f"get_submission did not hand out what was submitted: {answer['content']}")
            time.sleep(0.05)
        work = json.loads(answer["content"])
        if work["xqueue_body"] != BODY:
            raise SelfCheckError("somebody else's submission came first; its lease will run out and it goes back")
        return str(work["xqueue_header"])

    def _url(self, call: str) -> str:
        return f"{self._base_url}/xqueue/{call}/"

    @staticmethod
    def _content(call: str, answer: requests.Response) -> Any:
        try:
            envelope = answer.json()
        except ValueError:
            raise SelfCheckError(f"{call} was answered with status {answer.status_code} and no JSON") from None
        if answer.status_code != requests.codes.ok or envelope["return_code"] != 0:
            raise SelfCheckError(f"{call} was refused: {envelope['content']}")
        return envelope["content"]


@contextmanager
def _callback_server() -> Iterator[tuple[str, "queue.SimpleQueue[list[tuple[str, str]]]"]]:
    """Stand in for the LMS: yield the callback URL and where its forms arrive."""
    received: queue.SimpleQueue[list[tuple[str, str]]] = queue.SimpleQueue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            received.put(parse_qsl(body, keep_blank_values=True))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/score_update", received
        finally:
            server.shutdown()
            thread.join()
