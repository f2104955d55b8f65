"""A stand-in for xqueue-watcher, which is on no package index: the same calls in the same order with the same habits.

It asks for a CSRF token before it logs in, gives every call one second, takes 301, 302, 401 and 403 for a lost session
and logs in again, once, and hands the header back as the text that came.
"""

import json
import time
from contextlib import suppress
from typing import Any

import requests

from tests.clients.task import PAUSE_SECONDS, REPLY, TRIES, Task

TIMEOUT_SECONDS = 1
LOST_SESSION = (301, 302, 401, 403)


class Watcher:
    """Watches one queue."""

    def __init__(self, task: Task, *, follow_redirects: bool) -> None:
        """`follow_redirects` is its setting FOLLOW_CLIENT_REDIRECTS."""
        self._task = task
        self._follow_redirects = follow_redirects
        self._session = requests.Session()
        self._session.trust_env = False
        self.logins = 0

    def start(self) -> None:
        """Log in."""
        for _ in range(TRIES):
            with suppress(requests.Timeout):
                assert self._log_in()
                return
        raise AssertionError("no login within a second")

    def run(self) -> None:
        """Grade one submission."""
        for _ in range(TRIES):
            # A call that takes too long is an error in its log, and it goes on with the next one.
            with suppress(requests.Timeout):
                if self._process_one():
                    return
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"nothing came from {self._task.queue}")

    def lose_session(self) -> None:
        """Go on as if the session had ended."""
        self._session.cookies.clear()

    def _process_one(self) -> bool:
        is_there, content = self._request("GET", "get_submission", params={"queue_name": self._task.queue})
        if not is_there:
            return False
        submission = json.loads(content)
        assert isinstance(submission["xqueue_files"], str)
        form = {"xqueue_header": submission["xqueue_header"], "xqueue_body": REPLY}
        for _ in range(TRIES):
            with suppress(requests.Timeout):
                is_taken, content = self._request("POST", "put_result", data=form)
                assert (is_taken, content) == (True, ""), content
                return True
        return False

    def _request(self, method: str, call: str, **options: Any) -> tuple[bool, str]:
        for _ in range(2):
            answer = self._send(method, call, allow_redirects=self._follow_redirects, **options)
            if answer.status_code == requests.codes.ok:
                envelope = answer.json()
                return envelope["return_code"] == 0, envelope["content"]
            if answer.status_code not in LOST_SESSION or not self._log_in():
                break
        return False, f"unexpected status {answer.status_code}"

    def _log_in(self) -> bool:
        self._send("GET", "login")
        token = self._session.cookies.get("csrftoken")
        answer = self._send("POST", "login", data=self._task.login, headers={"X-CSRFToken": token} if token else {})
        self.logins += 1
        return answer.ok and bool(answer.json()["return_code"] == 0)

    def _send(self, method: str, call: str, **options: Any) -> requests.Response:
        return self._session.request(method, f"{self._task.base}/{call}/", timeout=TIMEOUT_SECONDS, **options)


def watch(task: Task) -> None:
    """Grade as the watcher does by default: it follows no redirects, so it notices that its session has ended."""
    watcher = Watcher(task, follow_redirects=False)
    watcher.start()
    logins = watcher.logins
    watcher.lose_session()
    watcher.run()
    assert watcher.logins > logins


def watch_following(task: Task) -> None:
    """Grade as it does with FOLLOW_CLIENT_REDIRECTS."""
    watcher = Watcher(task, follow_redirects=True)
    watcher.start()
    watcher.run()
