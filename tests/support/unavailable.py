"""A gateway whose broker is away, as its callers find it: quick refusals, and all works again by itself."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.support.gateway import ANSWER_SECONDS, PATIENCE_SECONDS, Client, Gateway, lms_header, wait_until

TRIES = 5
REFUSAL = {"return_code": 1, "content": "The queue is unavailable at the moment, please try again"}


class Caller:
    """Makes calls side by side, each with a client of its own, and notes how long each took."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, method: str, call: str, **options: Any) -> tuple[requests.Response, float]:
        with Client(self._gateway.url) as client:
            start = time.monotonic()
            answer = client.raw(method, call, **options)
            return answer, time.monotonic() - start

    def refused(self, *calls: tuple[str, str, dict[str, Any]]) -> float:
        """Make the calls all at once; each must be refused soon, with the envelope. Return the longest in seconds.

        Where a machine stands still for a moment they are made again.
        """
        longest = float("inf")
        for _ in range(TRIES):
            longest = min(longest, self._refused_once(*calls))
            if longest < ANSWER_SECONDS:
                break
        assert longest < ANSWER_SECONDS, [name for _, name, _ in calls]
        return longest

    def _refused_once(self, *calls: tuple[str, str, dict[str, Any]]) -> float:
        with ThreadPoolExecutor(len(calls)) as pool:
            answers = list(pool.map(lambda call: self(call[0], call[1], **call[2]), calls))
        for (_, name, _), (answer, _) in zip(calls, answers, strict=True):
            assert answer.status_code == 503, (name, answer.text)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.json() == REFUSAL
        return max(seconds for _, seconds in answers)


def submit(queue: str = "openedx") -> tuple[str, str, dict[str, Any]]:
    return "POST", "submit/", {"data": {"xqueue_header": lms_header(queue=queue), "xqueue_body": "work"}}


def put(taken: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    return "POST", "put_result/", {"data": {"xqueue_header": taken["xqueue_header"], "xqueue_body": "reply"}}


def get(call: str) -> tuple[str, str, dict[str, Any]]:
    return "GET", call, {"params": {"queue_name": "openedx"}}


def health(gateway: Gateway, path: str) -> int:
    with requests.Session() as session:
        return session.get(f"{gateway.url}/{path}", timeout=PATIENCE_SECONDS).status_code


def works_again(gateway: Gateway, client: Client) -> None:
    wait_until(lambda: health(gateway, "readyz") == 200, 2 * PATIENCE_SECONDS, "the gateway did not recover by itself")
    method, name, form = submit()
    wait_until(lambda: client.raw(method, name, **form).status_code == 200, PATIENCE_SECONDS, "no submit works again")
    wait_until(lambda: client.queuelen() >= 1, PATIENCE_SECONDS, "what was submitted does not count")
