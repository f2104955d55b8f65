"""The figures of a site, as a console shows them: what `xqueue-broker count --json` says, while two gateways work."""

import asyncio
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import VHost
from tests.support.gateway import PATIENCE_SECONDS, RETRY_DELAYS, SECRET_KEY, Client, Gateway, lms_header, wait_until
from tests.support.ledger import events_in
from tests.support.metrics import Shown, scraped
from tests.support.operator import environment, run
from tests.support.ports import free_port
from tests.support.warm_start import WarmProcess

REPLY = '{"correct": true, "score": 1, "msg": "good"}'
QUEUES = {"openedx": None, "other": None}
SUBMISSIONS = 40
GAUGES = ("waiting", "leased", "parked")


@pytest.fixture
def gateways(vhost: VHost, tmp_path: Path) -> Iterator[tuple[Gateway, Gateway]]:
    declare(vhost.amqp_url, topology(QUEUES, RETRY_DELAYS))
    # So that what fails is parked at once.
    settings = {"XQUEUE_MAX_ATTEMPTS": "1"}
    pair = Gateway(vhost.amqp_url, tmp_path, settings=settings), Gateway(vhost.amqp_url, tmp_path, settings=settings)
    try:
        for each in pair:
            each.start()
        yield pair
    finally:
        for each in pair:
            each.stop()


class Site:
    """A console's figures, and what an operator's command counts at the same site."""

    def __init__(self, amqp_url: str, folder: Path) -> None:
        self._port = free_port()
        self._common = {
            "AMQP_URL": amqp_url,
            "SECRET_KEY": SECRET_KEY,
            "XQUEUES": json.dumps(QUEUES),
            "RETRY_DELAYS": json.dumps(RETRY_DELAYS),
            "NOTICE_GRACE": "0",
        }
        console = self._common | {
            "CONSOLE_PORT": "0",
            "CONSOLE_ACCOUNTS": '{"ada": "a password of hers"}',
            "CONSOLE_METRICS_PORT": str(self._port),
        }
        streams = [Path("/dev/null"), folder / "console.out", folder / "console.err"]
        self._process = WarmProcess("gateway.console", [], environment(**console), streams)

    def shown(self) -> Shown:
        return asyncio.run(scraped(f"http://127.0.0.1:{self._port}/metrics"))

    def is_caught_up(self) -> bool:
        try:
            return self.shown()["xqueue_console_ledger_caught_up"][()] == 1
        except OSError:
            return False

    def gauges(self, queue: str = "openedx") -> dict[str, float]:
        said = self.shown()
        return {what: said[f"xqueue_queue_{what}"][queue,] for what in GAUGES}

    def oldest(self, queue: str = "openedx") -> float:
        return self.shown()["xqueue_queue_oldest_waiting_seconds"][queue,]

    def counted(self, queue: str = "openedx") -> dict[str, Any]:
        said = run("count", "--json", **self._common)
        assert said.returncode == 0, said.stderr
        [found] = [each for each in json.loads(said.stdout)["queues"] if each["queue"] == queue]
        return dict(found)

    def agreed(self, queue: str = "openedx", **numbers: int) -> dict[str, float]:
        """Wait until the figures are these, and what the command counts; return them."""

        def agrees() -> dict[str, float] | None:
            shown, counted = self.gauges(queue), self.counted(queue)
            return (
                shown
                if all(shown[what] == counted[what] for what in GAUGES) and numbers.items() <= shown.items()
                else None
            )

        found: dict[str, float] = wait_until(agrees, PATIENCE_SECONDS, "the figures are not what is counted")
        return found

    def comes_to_show(self, least: int) -> None:
        wait_until(lambda: self.gauges()["waiting"] >= least, PATIENCE_SECONDS, "what came is not shown")

    def is_paused(self, queue: str) -> bool:
        return self.shown()["xqueue_queue_paused"][queue,] == 1

    def does(self, *command: str) -> None:
        said = run(*command, **self._common)
        assert said.returncode == 0, said.stderr

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_SECONDS)


@pytest.fixture
def site(vhost: VHost, gateways: tuple[Gateway, Gateway], tmp_path: Path) -> Iterator[Site]:
    # Of before its start: known, and not counted.
    with Client(gateways[0].url) as lms:
        lms.submit(lms_header(queue="other"), "work")
    # A gateway notes it a moment after its answer.
    wait_until(lambda: events_in(vhost.amqp_url), PATIENCE_SECONDS, "the ledger does not tell of it")
    made = Site(vhost.amqp_url, tmp_path)
    try:
        wait_until(made.is_caught_up, PATIENCE_SECONDS, "the console did not read the ledger")
        yield made
    finally:
        made.stop()


def test_they_are_what_an_operators_count_says_while_submissions_come_are_graded_and_fail(
    site: Site, gateways: tuple[Gateway, Gateway]
) -> None:
    one, other = gateways
    with Client(one.url) as lms, Client(other.url, "grader") as grader, Client(one.url, "grader") as second:
        with ThreadPoolExecutor(2) as pool:
            load = pool.submit(lambda: [lms.submit(lms_header(), "work") for _ in range(SUBMISSIONS)])
            # What comes only: each number lies between two counts.
            while not load.done():
                before, shown, after = site.counted(), site.gauges(), site.counted()
                assert shown["waiting"] <= after["waiting"]
                assert shown["leased"] == shown["parked"] == 0
                site.comes_to_show(before["waiting"])
        site.agreed(waiting=SUBMISSIONS, leased=0, parked=0)
        counted = site.counted()["oldest_waiting"]
        # By whole seconds the broker knows when a message was published, and the ledger later, when it was confirmed.
        shown_age = wait_until(lambda: site.oldest() >= counted and site.oldest(), PATIENCE_SECONDS, "it is too young")
        assert 0 < counted <= shown_age <= site.counted()["oldest_waiting"]
        taken = [each.get_one() for each in (grader, second) for _ in range(10)]
        site.agreed(waiting=SUBMISSIONS - 20, leased=20, parked=0)
        for each in taken[:10]:
            assert grader.put(each["xqueue_header"], REPLY)[0] == 0
        for each in taken[10:15]:
            failed = {"xqueue_header": each["xqueue_header"], "failed": "true"}
            assert second.call("POST", "release_submission/", data=failed)[0] == 0

        def all_are_parked() -> bool:
            # What has failed once too often is parked when it would be handed out again.
            if again := second.get("openedx"):
                assert second.put(again["xqueue_header"], REPLY)[0] == 0
            return site.gauges()["parked"] == 5

        wait_until(all_are_parked, PATIENCE_SECONDS, "not all that failed is parked")
        shown = site.agreed(leased=5, parked=5)
    site.agreed("other", waiting=1, leased=0, parked=0)
    said = site.shown()
    of_queue = {name: values.get(("openedx",)) for name, values in said.items()}
    graded = of_queue["xqueue_queue_graded_total"]
    assert graded is not None
    assert graded >= 10
    assert of_queue["xqueue_queue_submitted_total"] == SUBMISSIONS == graded + shown["waiting"] + 5 + 5
    assert of_queue["xqueue_queue_failed_attempts_total"] == of_queue["xqueue_queue_parked_total"] == 5
    assert of_queue["xqueue_queue_grading_seconds_count"] == graded
    assert of_queue["xqueue_queue_waiting_seconds_count"] == graded + 5 + 5
    assert of_queue["xqueue_queue_graders"] == 1  # two sessions of one account
    assert said["xqueue_queue_submitted_total"]["other",] == 0
    assert 0 <= said["xqueue_site_ledger_lag_seconds"][()] < PATIENCE_SECONDS
    site.does("pause", "other", "--reason", "its grader is mended")
    wait_until(lambda: site.is_paused("other"), PATIENCE_SECONDS, "a pause is not shown")
    assert not site.is_paused("openedx")
    site.does("resume", "other")
    wait_until(lambda: not site.is_paused("other"), PATIENCE_SECONDS, "a pause that is over is shown")
