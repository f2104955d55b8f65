"""The bridge's own port: /metrics, /healthz and /readyz, while submissions are graded, fail and are given up."""

import json
import socket
from pathlib import Path

from tests.support.broker import VHost
from tests.support.metrics import Shown, asked, scraped
from tests.support.passive import REPLY, SECRET, lms_side, running_bridge, running_grader, settings_for
from tests.support.service_process import service_process
from tests.support.waiting import eventually

RED, BLUE = ("red",), ("blue",)


async def test_it_is_ready_once_all_queues_are_consumed_and_counts_what_becomes_of_their_submissions(
    vhost: VHost,
) -> None:
    async with running_grader() as red, running_grader() as blue:
        settings = settings_for(
            vhost.amqp_url, {"red": red.url, "blue": blue.url}, passive_metrics_port=0, grading_retry_delays=(0.05,)
        )
        red.says(b"no reply of an LMS's", REPLY)
        blue.says(b"never a reply")
        async with lms_side(settings) as lms, running_bridge(settings) as bridge:

            async def is_ready() -> bool:
                return bridge._endpoint.is_open and await asked(bridge._endpoint, "readyz") == (200, "serving")

            await eventually(is_ready, 60)
            assert await asked(bridge._endpoint, "healthz") == (200, "serving")
            await lms.submit("red")
            await lms.submit("blue")
            said: Shown = {}

            async def all_is_counted() -> bool:
                nonlocal said
                said = await scraped(f"{bridge._endpoint.url}/metrics")
                ends = said["xqueue_passive_answered_total"][RED], said["xqueue_passive_given_up_total"][BLUE]
                return ends == (1, 1) and not any(said["xqueue_passive_under_way"].values())

            await eventually(all_is_counted, 60)
    assert said["xqueue_passive_failed_tries_total"] == {RED: 1, BLUE: 2}
    assert said["xqueue_passive_grading_seconds_count"] == {RED: 2, BLUE: 2}
    assert said["xqueue_passive_consuming"] == {RED: 1, BLUE: 1}
    assert said["xqueue_passive_broker_connection_up"] == {("consume",): 1, ("publish",): 1}
    assert said["process_resident_memory_bytes"]


async def test_without_a_broker_it_is_alive_and_not_ready() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"amqp://guest:guest@127.0.0.1:{unused.getsockname()[1]}/"
        settings = settings_for(nobody, {"red": "http://127.0.0.1:9/"}, passive_metrics_port=0)
        async with running_bridge(settings) as bridge:
            await eventually(lambda: bridge._endpoint.is_open, 60)
            assert await asked(bridge._endpoint, "healthz") == (200, "trying")
            assert await asked(bridge._endpoint, "readyz") == (503, "trying")


async def test_a_taken_port_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        values = {
            "AMQP_URL": "amqp://guest:guest@127.0.0.1:9/",
            "SECRET_KEY": SECRET,
            "XQUEUES": json.dumps({"red": "http://127.0.0.1:9/"}),
            "PASSIVE_METRICS_PORT": str(port),
            "VALIDATE_RESULTS": "false",  # so that nothing is said of this Python's parsers
        }
        async with service_process("gateway.passive", values, tmp_path / "log") as bridge:
            assert await bridge.ended(120) == 1
            assert bridge.log == (
                f"xqueue-passive: PASSIVE_METRICS_HOST, PASSIVE_METRICS_PORT: can't listen on 127.0.0.1 port {port}: "
                "address already in use\n"
            )
