"""The legacy API as a sandbox answers it: from what a call brings to a status and an envelope."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from xqueue_grader.sandbox.desk import NO_SUBMISSION, WRONG_KEY, Desk, Handed
from xqueue_grader.sandbox.kinds import Kind

MAX_WAIT = 55.0
MAX_LIMIT = 100

_STATUSES = {
    NO_SUBMISSION: HTTPStatus.NOT_FOUND,
    WRONG_KEY: HTTPStatus.FORBIDDEN,
    "Incorrect login credentials": HTTPStatus.UNAUTHORIZED,
}


@dataclass(frozen=True)
class Call:
    """What came: the name between the slashes, how, and the parameters of URL and form."""

    name: str
    method: str
    query: Mapping[str, str]
    form: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What is answered: 0 or 1, the content, and which status that is with edx-submissions."""

    code: int
    content: object
    status: HTTPStatus = HTTPStatus.OK


def refused(why: str) -> Reply:
    """Say no."""
    return Reply(1, why, _STATUSES.get(why, HTTPStatus.BAD_REQUEST))


class Calls:
    """Answers the calls of somebody who has logged in; `gone` tells whether he has hung up."""

    def __init__(self, desk: Desk, kind: Kind, validate: Callable[[str], str]) -> None:
        """`validate` says what is wrong with a reply, or ""."""
        self._desk = desk
        self._validate = validate
        self._table: dict[str, Callable[[Call, Callable[[], bool]], Reply]] = {
            "get_queuelen": self._queuelen,
            "get_submission": self._take,
            "put_result": self._put,
            "submit": self._submit,
        }
        if kind.has_more_calls:
            self._table |= {
                "get_submissions": self._take_many,
                "extend_lease": self._extend,
                "release_submission": self._release,
            }
        self._waits = kind.has_more_calls
        self._any_queue = kind is Kind.EDX_SUBMISSIONS  # there every name is a queue, and empty until something comes

    def knows(self, name: str) -> bool:
        """Tell whether there is such a call."""
        return name in self._table

    def answer(self, call: Call, gone: Callable[[], bool]) -> Reply:
        """Do what a call asks for."""
        return self._table[call.name](call, gone)

    def _queuelen(self, call: Call, gone: Callable[[], bool]) -> Reply:
        queue = call.query.get("queue_name")
        if queue is None:
            return refused("'get_queuelen' must provide parameter 'queue_name'")
        if queue not in self._desk.queues:
            return refused(f"Valid queue names are: {', '.join(self._desk.queues)}")
        return Reply(0, self._desk.waiting(queue))

    def _take(self, call: Call, gone: Callable[[], bool]) -> Reply:
        handed = self._handed(call, gone, 1)
        if isinstance(handed, Reply):
            return handed
        if not handed:
            return Reply(1, f"Queue '{call.query['queue_name']}' is empty")
        return Reply(0, json.dumps(_strings(handed[0])))

    def _take_many(self, call: Call, gone: Callable[[], bool]) -> Reply:
        limit = call.query.get("limit", "1")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LIMIT):
            return refused(f"'limit' must be a whole number from 1 to {MAX_LIMIT}")
        handed = self._handed(call, gone, int(limit))
        if isinstance(handed, Reply):
            return handed
        return Reply(0, [_strings(each) | {"expires_at": each.expires_at} for each in handed])

    def _handed(self, call: Call, gone: Callable[[], bool], limit: int) -> list[Handed] | Reply:
        queue = call.query.get("queue_name")
        if queue is None:
            return refused(f"'{call.name}' must provide parameter 'queue_name'")
        if queue not in self._desk.queues and not self._any_queue:
            return Reply(1, f"Queue '{queue}' not found", HTTPStatus.NOT_FOUND)
        wait = _seconds(call.query.get("wait", "0"))
        if wait is None:
            return refused("'wait' must be a number of seconds")
        if self._waits and wait:
            self._desk.wait_for(lambda: gone() or self._desk.waiting(queue) > 0, min(wait, MAX_WAIT))
        return [] if gone() else self._desk.take(queue, limit)

    def _put(self, call: Call, gone: Callable[[], bool]) -> Reply:
        if call.method != "POST":
            return Reply(1, "'put_result' must use HTTP POST", HTTPStatus.METHOD_NOT_ALLOWED)
        lease, reply = _lease_in(call.form), call.form.get("xqueue_body")
        if lease is None or reply is None:
            return refused("Incorrect reply format")
        if self._validate(reply):
            return refused("Incorrect reply format")
        return _done(self._desk.put(*lease, reply.encode(errors="replace")))

    def _extend(self, call: Call, gone: Callable[[], bool]) -> Reply:
        lease, seconds = _lease_in(call.form), _seconds(call.form.get("seconds", ""))
        if lease is None:
            return refused("'xqueue_header' must be the header of a submission, as it came")
        if seconds is None:
            return refused("'seconds' must be a number of seconds")
        until = self._desk.extend(*lease, seconds)
        return refused(until) if isinstance(until, str) else Reply(0, {"expires_at": until})

    def _release(self, call: Call, gone: Callable[[], bool]) -> Reply:
        lease, delay = _lease_in(call.form), _seconds(call.form.get("delay", "0"))
        if lease is None:
            return refused("'xqueue_header' must be the header of a submission, as it came")
        if delay is None:
            return refused("'delay' must be a number of seconds")
        return _done(self._desk.release(*lease, failed=call.form.get("failed") == "true", delay=delay))

    def _submit(self, call: Call, gone: Callable[[], bool]) -> Reply:
        header, body = _object(call.form.get("xqueue_header")), call.form.get("xqueue_body")
        if header is None or body is None or not {"lms_callback_url", "lms_key", "queue_name"} <= set(header):
            return refused("Queue request has invalid format")
        queue = str(header["queue_name"])
        if queue not in self._desk.queues:
            return refused(f"Queue '{queue}' not found")
        self._desk.submit(queue, body, {})
        return Reply(0, str(self._desk.waiting(queue)))


def _done(why_not: str) -> Reply:
    return refused(why_not) if why_not else Reply(0, "")


def _strings(handed: Handed) -> dict[str, object]:
    header = json.dumps({"submission_id": handed.id, "submission_key": handed.key})
    return {"xqueue_header": header, "xqueue_body": handed.body, "xqueue_files": json.dumps(dict(handed.files))}


def _lease_in(form: Mapping[str, str]) -> tuple[int, str] | None:
    header = _object(form.get("xqueue_header"))
    if header is None:
        return None
    number, key = header.get("submission_id"), header.get("submission_key")
    try:
        return (int(str(number)), key) if isinstance(key, str) else None
    except ValueError:
        return None


def _object(text: str | None) -> dict[str, object] | None:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
