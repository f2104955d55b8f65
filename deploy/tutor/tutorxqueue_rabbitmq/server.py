"""Speaks to a gateway over HTTP, as graders do; what goes wrong is one sentence."""

import json
from typing import Any
from urllib.parse import urljoin

import requests
from tutor.exceptions import TutorError

_LOGGED_IN = "Logged in"
# To connect, and to be answered: a gateway answers within 3 s.
_TIMEOUT_SECONDS = (5.0, 30.0)
_SHOWN_CHARACTERS = 200


class Server:
    """One gateway, and a session there."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._log_in(user, password)

    def count(self, queue: str) -> Any:
        """Return how many submissions wait in `queue`."""
        return self._call("GET", "get_queuelen", params={"queue_name": queue})

    def show(self, queue: str) -> Any:
        """Take a submission of `queue`, as a grader does; it is leased until it is graded, or the lease is over."""
        answer = self._call("GET", "get_submission", params={"queue_name": queue})
        if answer["return_code"] != 0:
            return answer
        try:
            submission = json.loads(answer["content"])
            header = json.loads(submission["xqueue_header"])
            paths = json.loads(submission["xqueue_files"] or "{}")
            return {
                "id": header["submission_id"],
                "key": header["submission_key"],
                "body": _parsed(submission["xqueue_body"]),
                "files": {name: urljoin(f"{self._url}/", path) for name, path in paths.items()},
                "return_code": answer["return_code"],
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TutorError(f"{self._url} sent no submission but: {_quoted(str(answer['content']))}") from None

    def grade(self, submission_id: str, key: str, reply: dict[str, Any]) -> Any:
        """Hand in the reply to a submission that was taken."""
        header = {"submission_id": submission_id, "submission_key": key}
        return self._call(
            "POST", "put_result", data={"xqueue_header": json.dumps(header), "xqueue_body": json.dumps(reply)}
        )

    def _log_in(self, user: str, password: str) -> None:
        answer = self._call("POST", "login", data={"username": user, "password": password})
        if answer["content"] != _LOGGED_IN:
            raise TutorError(f"Could not login to xqueue server at {self._url}. Response: '{answer['content']}'")

    def _call(self, method: str, name: str, **options: Any) -> dict[str, Any]:
        url = f"{self._url}/xqueue/{name}/"
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT_SECONDS, **options)
        except requests.exceptions.SSLError as error:
            raise TutorError(f"{url}: its certificate is not good: {error}") from None
        except requests.Timeout:
            raise TutorError(f"{url} does not answer in time") from None
        except requests.ConnectionError:
            raise TutorError(f"nothing answers at {url}: is it running (`tutor local status`), is -u right?") from None
        except requests.RequestException as error:
            raise TutorError(f"{url} can't be called: {error}") from None
        try:
            body = answer.json()
            if answer.ok and {"return_code", "content"} <= body.keys():
                return dict(body)
        except (ValueError, AttributeError):
            body = None
        said = body.get("content", body) if isinstance(body, dict) else answer.text
        raise TutorError(
            f"{url} answers HTTP {answer.status_code}, which is no answer of XQueue's: {_quoted(str(said))}"
        )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")
