"""Graders written with the usual HTTP libraries of Python, each used as its documentation has it."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import httpx
import requests

from tests.clients.task import PAUSE_SECONDS, TRIES, Task, submission_in

SECONDS = 10


def with_requests(task: Task) -> None:
    """Basic auth and no session."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (task.account, task.password)
        for _ in range(TRIES):
            parameters = {"queue_name": task.queue}
            got = session.get(f"{task.base}/get_submission/", params=parameters, timeout=SECONDS).json()
            if submission := submission_in(got):
                put = session.post(f"{task.base}/put_result/", data=task.result(submission), timeout=SECONDS)
                assert put.json() == {"return_code": 0, "content": ""}
                return
            time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"nothing came from {task.queue}")


async def with_aiohttp(task: Task) -> None:
    """A session, a long poll, multipart forms, and the text/html that aiohttp's json() does not take by itself."""
    jar = aiohttp.CookieJar(unsafe=True)  # for a host that is a number
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=30)) as session:
        async with session.post(f"{task.base}/login/", data=task.login) as login:
            assert (await login.json(content_type="text/html"))["content"] == "Logged in"
        parameters = {"queue_name": task.queue, "wait": "15"}
        async with session.get(f"{task.base}/get_submission/", params=parameters) as got:
            submission = submission_in(await got.json(content_type="text/html"))
        assert submission
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in task.result(submission).items():
            form.add_field(name, value)
        async with session.post(f"{task.base}/put_result/?queue_name={task.queue}", data=form) as put:
            assert json.loads(await put.read()) == {"return_code": 0, "content": ""}


async def with_httpx(task: Task) -> None:
    """A client that follows redirects and keeps its cookies."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=SECONDS, trust_env=False) as client:
        assert (await client.post(f"{task.base}/login", data=task.login)).json()["content"] == "Logged in"
        for _ in range(TRIES):
            got = await client.get(f"{task.base}/get_submission", params={"queue_name": task.queue})
            if submission := submission_in(got.json()):
                put = await client.post(f"{task.base}/put_result", data=task.result(submission))
                assert put.json() == {"return_code": 0, "content": ""}
                return
            await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError(f"nothing came from {task.queue}")


def in_the_dialect_of_edx_submissions(task: Task) -> None:
    """A grader of the LMS's own queue: it goes by HTTP statuses, takes nothing but JSON, and insists on CSRF tokens."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept"] = "application/json"

        def call(method: str, name: str, status: int = 200, **options: Any) -> dict[str, Any]:
            token = session.cookies.get("csrftoken")
            headers = {"X-CSRFToken": token, "Referer": task.base} if token else {}
            answer = session.request(method, f"{task.base}/{name}/", headers=headers, timeout=SECONDS, **options)
            assert answer.status_code == status, (name, answer, answer.text)
            assert answer.headers["content-type"] == "application/json"
            envelope: dict[str, Any] = answer.json()
            return envelope

        queue = {"queue_name": task.queue}
        call("GET", "get_submission", 401, params=queue)
        call("GET", "login")
        assert session.cookies["csrftoken"]
        call("POST", "login", data=task.login)
        for _ in range(TRIES):
            if submission := submission_in(call("GET", "get_submission", params=queue)):
                assert call("POST", "put_result", data=task.result(submission))["content"] == ""
                call("POST", "put_result", 400, data={"xqueue_body": "no header"})
                call("POST", "logout")
                return
            time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"nothing came from {task.queue}")
