"""What is sent: a submission and a reply of the size that an LMS and a grader really send (1 to 2 kB)."""

import base64
import json
from urllib.parse import urlencode

QUEUE = "openedx"
USER, PASSWORD = "bench", "only-for-this-run"
SECRET_KEY = "the bench seals with this key, for one run"

REPLY = json.dumps(
    {"correct": True, "score": 0.9, "msg": "<div class='result'>" + "<p>Good job! Test passed.</p>" * 30 + "</div>"}
)
_STUDENT_WORK = "def answer(numbers):\n    return sum(number * number for number in numbers)\n" * 8

# Fixed width, so that one prepared request serves all submissions.
_MARK = "00000000"


def lms_header(callback_url: str, mark: str = _MARK) -> str:
    """Make an xqueue_header; `mark` makes the submission's URL and key its own."""
    return json.dumps(
        {"lms_callback_url": f"{callback_url}/{mark}/score_update", "lms_key": f"key-{mark}", "queue_name": QUEUE}
    )


def lms_body() -> str:
    """Make an xqueue_body as the LMS does."""
    return json.dumps(
        {
            "student_info": json.dumps(
                {"anonymous_student_id": "0123456789abcdef", "submission_time": "20260101120000"}
            ),
            "grader_payload": json.dumps({"name": "hello world"}),
            "student_response": _STUDENT_WORK,
        }
    )


def form(fields: dict[str, str]) -> bytes:
    """Encode a form as browsers and `requests` do."""
    return urlencode(fields).encode("ascii")


def callback_fields() -> dict[str, str]:
    """Make the two fields of one callback."""
    return {"xqueue_header": lms_header("http://127.0.0.1:20000"), "xqueue_body": REPLY}


def message_body() -> bytes:
    """Make what a submission's message holds, for programs that only care for its size."""
    return (lms_header("http://127.0.0.1:20000") + lms_body()).encode()


def request(method: str, target: str, body: bytes = b"") -> bytes:
    """Prepare an HTTP/1.1 request with our account."""
    account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    head = f"{method} {target} HTTP/1.1\r\nHost: xqueue\r\nAuthorization: Basic {account}\r\n"
    if body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode("ascii") + body


class SubmitRequests:
    """Submit requests, each with a callback URL and a key of its own."""

    def __init__(self, callback_url: str) -> None:
        """Prepare the request once; `made` then only writes the mark into it."""
        body = form({"xqueue_header": lms_header(callback_url), "xqueue_body": lms_body()})
        self._prepared = request("POST", "/xqueue/submit/", body)

    def made(self, number: int) -> bytes:
        """Make the request of submission `number`."""
        return self._prepared.replace(_MARK.encode(), f"{number:08}".encode())
