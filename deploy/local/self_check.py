"""One submission all the way round through the legacy HTTP API: the hello-world problem of Tutor's documentation.

It goes through a queue of the user's. Work that waits there is its graders'; the check leaves it as it is.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import requests

from deploy.local.callback_server import Form, callback_server
from deploy.local.check_plan import Plan
from deploy.local.console import Step
from deploy.local.errors import LocalError

KEY = "self-check"
REPLY = json.dumps({"correct": True, "score": 0.9, "msg": "<p>Good job!</p>"})
CALL_SECONDS = 5.0  # a gateway answers within 3
ROUND_SECONDS = 15.0  # from the login to the callback; it takes 0.1 on an idle machine
LONG_POLL_SECONDS = 1
POLLS_IN_VAIN = 2  # with nothing left in the queue: then somebody else has it


class SelfCheckError(LocalError):
    """The round was not completed."""


class CallbackLateError(SelfCheckError):
    """All was well but for the callback, which did not come in time."""


@dataclass(frozen=True)
class Work:
    """What get_submission handed out: the header that goes back with the result, and the body."""

    header: str
    body: str

    @property
    def submission_id(self) -> int:
        """The number that graders see."""
        return int(json.loads(self.header)["submission_id"])


def run(base_url: str, plan: Plan, report: Callable[[str], None]) -> str:
    """Take one submission round, reporting each step; return what came of it, in the words of a step's line.

    Raise SelfCheckError if the stack did not do what it should. That the queue has work or graders is no such error.
    """
    deadline = time.monotonic() + ROUND_SECONDS
    body, queue = body_of(secrets.token_hex(8)), plan.queue
    with (
        _Client(base_url, queue, report) as lms,
        _Client(base_url, queue, report) as grader,
        callback_server() as callbacks,
    ):
        with lms.step("login") as step:
            for client, login in ((lms, plan.producer), (grader, plan.consumer)):
                client.post("login", username=login.account, password=login.password)
            names = dict.fromkeys((plan.producer.account, plan.consumer.account))
            step.outcome = f"as {' and '.join(names)}"
        if waiting := lms.waiting():
            return f"skipped: {waiting} wait in {queue}, and that is work for its graders, not for a check"
        header = json.dumps({"lms_callback_url": callbacks.url, "lms_key": KEY, "queue_name": queue})
        with lms.step("submit") as step:
            lms.post("submit", xqueue_header=header, xqueue_body=body)
            step.outcome = f"a Python answer to {queue}"
        with grader.step("get_submission") as step:
            work = _take(grader, body, deadline)
            if work is None:
                step.outcome = f"none: a grader serves {queue}, and was quicker"
                return f"not finished: a grader took its submission out of {queue}"
            step.outcome = f"submission {work.submission_id}"
        with grader.step("put_result") as step:
            grader.post("put_result", xqueue_header=work.header, xqueue_body=REPLY)
            step.outcome = "graded 0.9, “Good job!”"
        with lms.step("callback") as step:
            _verify(callbacks.next(deadline - time.monotonic()), header)
            step.outcome = "the LMS got header and result, byte for byte"
    return "one submission went all the way round"


def body_of(token: str) -> str:
    """Return the student's work of the check that has this token."""
    student = {"anonymous_student_id": f"self-check {token}", "submission_time": "20130101000000"}
    return json.dumps(
        {
            "student_info": json.dumps(student),
            "student_response": 'def hello():\n    return "hello world"\n',
            "grader_payload": json.dumps({"name": "hello world"}),
        }
    )


def why_late(error: CallbackLateError, results: int, *, relay_runs: bool) -> str:
    """Say what a check came to whose callback is late, where so many results wait; raise `error` if that is no reason.

    One of the results is its own.
    """
    if not relay_runs or results <= 1:
        raise error
    return f"not finished: its result waits for the relay, with {results - 1} others"


def _take(client: "_Client", body: str, deadline: float) -> Work | None:
    """Fetch the submission with this body; return None if somebody else has it."""
    in_vain = 0
    others: list[Work] = []
    try:
        while time.monotonic() < deadline:
            work = client.take()
            if work is None:
                in_vain += client.waiting() == 0
                if in_vain >= POLLS_IN_VAIN:
                    return None
            elif work.body == body:
                return work
            else:
                others.append(work)
    finally:
        # Came in after we had looked, or back from a grader. Not before we have ours, or it would be the next again.
        for work in others:
            client.post("release_submission", xqueue_header=work.header)
    raise SelfCheckError(f"get_submission did not hand out within {ROUND_SECONDS:.0f} s what was submitted")


def _verify(form: Form | None, header: str) -> None:
    if form is None:
        raise CallbackLateError(f"the callback did not come within {ROUND_SECONDS:.0f} s; is the relay running?")
    if sorted(form) != [("xqueue_body", REPLY), ("xqueue_header", header)]:
        raise SelfCheckError(f"the callback's form is not what was sent: {form}")


class _Client:
    """The API as the LMS and graders use it."""

    def __init__(self, base_url: str, queue: str, report: Callable[[str], None]) -> None:
        self._base_url = base_url
        self._queue = queue
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
        return self._content(call, self._asked(call, **parameters))

    def post(self, call: str, **form: str) -> Any:
        return self._content(call, self._session.post(self._url(call), data=form, timeout=CALL_SECONDS))

    def waiting(self) -> int:
        """Count what waits in the queue."""
        return int(self.get("get_queuelen", queue_name=self._queue))

    def take(self) -> Work | None:
        """Take a submission; None if there is none for a second."""
        answer = self._asked("get_submission", queue_name=self._queue, wait=str(LONG_POLL_SECONDS))
        if answer.ok and answer.json()["content"] == f"Queue '{self._queue}' is empty":
            return None
        work = json.loads(self._content("get_submission", answer))
        return Work(str(work["xqueue_header"]), str(work["xqueue_body"]))

    def _asked(self, call: str, **parameters: str) -> requests.Response:
        return self._session.get(self._url(call), params=parameters, timeout=CALL_SECONDS)

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
