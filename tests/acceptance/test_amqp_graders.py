"""The example graders, as programs and under users of their own: work goes from the LMS through them and back."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from tests.support.broker import VHost
from tests.support.broker_users import broker_users
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Client, Gateway
from tests.support.lms import running_lms
from tests.support.queues import ready
from tests.support.relay import relay_process

PAYLOAD = json.dumps({"tests": [{"input": "", "output": "hello"}]})


@asynccontextmanager
async def example(name: str, amqp_url: str, queue: str, log: Path) -> AsyncIterator[None]:
    """Run one of the examples for as long as the block runs."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("XQUEUE_")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, f"examples/{name}.py", queue, stdout=output, stderr=output,
            env=env | {"XQUEUE_AMQP_URL": amqp_url, "PYTHONPATH": "."},
        )  # fmt: skip
    try:
        yield
    finally:
        # Ctrl-C
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), timeout=90)
        except TimeoutError:
            process.kill()
            raise


@pytest.mark.parametrize("name", ["python_grader", "pika_grader"])
async def test_an_example_grades_right_and_wrong_work_as_a_user_with_few_rights(
    vhost: VHost, tmp_path: Path, name: str
) -> None:
    with broker_users(vhost, {"grader": ["other"]}, {"other": None}) as users:
        urls = await asyncio.to_thread(users.set_up, RETRY_DELAYS=json.dumps(RETRY_DELAYS))
        of_users = {f"XQUEUE_{key}": value for key, value in users.settings.items() if key != "MANAGEMENT_URL"}
        gateway = Gateway(urls["gateway"], tmp_path, users.queues, of_users)
        settings = Settings(
            amqp_url=urls["relay"],
            secret_key=SECRET_KEY,
            retry_delays=RETRY_DELAYS,
            notice_grace=0.0,
            xqueues=users.queues,
            amqp_graders={users.name("grader"): ("other",)},
            service_users=json.loads(users.settings["SERVICE_USERS"]),
        )
        try:
            await asyncio.to_thread(gateway.start)
            async with (
                running_lms() as lms,
                relay_process(settings, tmp_path / "relay.log"),
                example(name, urls["grader"], "other", tmp_path / "grader.log"),
            ):
                with Client(gateway.url) as client:
                    for key, program in (("right", "print('hello')"), ("wrong", "print('bye')")):
                        body = json.dumps({"student_response": program, "grader_payload": PAYLOAD})
                        await asyncio.to_thread(client.submit, lms.header(key, queue="other"), body)
                callbacks = await lms.wait_accepted(2)
        finally:
            await asyncio.to_thread(gateway.stop)
        replies = {callback.lms_key: json.loads(callback.xqueue_body) for callback in callbacks}
        assert {key: (reply["correct"], reply["score"]) for key, reply in replies.items()} == {
            "right": (True, 1),
            "wrong": (False, 0),
        }
        assert await ready(vhost.amqp_url, RESULTS_PARKED) == 0
        said = (tmp_path / "grader.log").read_text()
        assert "Traceback" not in said
        assert len(set(re.findall(r"submission ([0-9a-f]{32}): ", said))) == 2
