"""The self-check beside live graders and left-over work, against a real gateway and relay."""

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from broker_setup.link.blocking import count_ready
from broker_setup.topology import CHECKED_QUEUE, RESULTS_PARKED, RESULTS_QUEUE, retry_queue
from deploy.local import self_check
from deploy.local.check_plan import Login, Plan
from deploy.local.self_check import SelfCheckError, body_of
from tests.support.broker import VHost
from tests.support.gateway import (
    RETRY_DELAYS,
    SECRET_KEY,
    USERS,
    Client,
    Gateway,
    lms_header,
    running_gateway,
    wait_until,
)
from tests.support.relay import relay_process, settings_for

ROUND = "one submission went all the way round"
PLAN = Plan("openedx", *(Login(name, USERS[name]) for name in ("lms", "grader")))
RESULTS = [RESULTS_QUEUE, CHECKED_QUEUE, RESULTS_PARKED, *map(retry_queue, RETRY_DELAYS)]


@dataclass
class Scene:
    """A gateway, and the check's lines."""

    gateway: Gateway
    lines: list[str] = field(default_factory=list)

    def check(self) -> str:
        return self_check.run(self.gateway.url, PLAN, self.lines.append)

    def results_rest(self) -> bool:
        """Say whether no result waits, is tried again or was parked."""
        return not any(count_ready(self.gateway.amqp_url, RESULTS).values())


@pytest.fixture
def scene(vhost: VHost, tmp_path: Path) -> Iterator[Scene]:
    with running_gateway(vhost.amqp_url, tmp_path, queues={"openedx": None}) as gateway:
        yield Scene(gateway)


@pytest.fixture
async def relay(scene: Scene, tmp_path: Path) -> AsyncIterator[None]:
    settings = settings_for(scene.gateway.amqp_url, secret_key=SECRET_KEY, retry_delays=RETRY_DELAYS)
    async with relay_process(settings, tmp_path / "relay.log"):
        yield


@pytest.fixture
def client(scene: Scene) -> Iterator[Client]:
    with Client(scene.gateway.url, "grader") as client:
        yield client


class LiveGrader:
    """Waits at one queue, and grades what it gets."""

    def __init__(self, url: str, queue: str) -> None:
        self.bodies: list[str] = []
        self._polls = 0
        self._url, self._queue = url, queue
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._grade)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self._polls, 60, "the grader does not poll")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _grade(self) -> None:
        with Client(self._url, "grader") as client:
            while not self._over.is_set():
                taken = client.get(self._queue, wait=1 if self._polls else 0)
                self._polls += 1
                if taken:
                    self.bodies.append(taken["xqueue_body"])
                    client.put(taken["xqueue_header"], json.dumps({"correct": True, "score": 1, "msg": "live"}))


def take(client: Client) -> dict[str, Any]:
    taken = client.get("openedx", wait=5)
    assert taken
    return taken


@pytest.mark.usefixtures("relay")
def test_it_goes_round_an_empty_queue(scene: Scene) -> None:
    assert scene.check() == ROUND
    wait_until(scene.results_rest, 60, "a result found nobody to take it")


def test_where_work_waits_it_is_skipped_and_the_work_left_as_it_was(scene: Scene, client: Client) -> None:
    for number in range(3):
        client.submit(lms_header(), f"left over {number}")
    assert scene.check() == "skipped: 3 wait in openedx, and that is work for its graders, not for a check"
    assert client.queuelen() == 3
    assert [take(client)["xqueue_body"] for _ in range(3)] == [f"left over {number}" for number in range(3)]


@pytest.mark.usefixtures("relay")
def test_a_grader_that_takes_its_submission_is_named_and_no_failure(scene: Scene) -> None:
    with LiveGrader(scene.gateway.url, "openedx") as live:
        outcome = ROUND
        while not live.bodies:  # now and then it comes between two polls of the grader
            began = time.monotonic()
            outcome = scene.check()
            assert time.monotonic() - began < 5
    assert outcome == "not finished: a grader took its submission out of openedx"
    assert scene.lines[-1].startswith("- get_submission  none: a grader serves openedx, and was quicker")


@pytest.mark.usefixtures("relay")
def test_work_that_comes_in_before_its_own_is_put_back_ungraded_and_at_once(
    scene: Scene, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = {body_of("a check that was killed"), "of a student"}
    for body in bodies:
        client.submit(lms_header(), body)
    monkeypatch.setattr(self_check._Client, "waiting", lambda _: 0)  # it looked before they came
    assert scene.check() == ROUND
    assert {take(client)["xqueue_body"] for _ in bodies} == bodies
    wait_until(scene.results_rest, 60, "one was graded, and its result is on its way to an LMS that is not there")


def test_without_a_relay_it_fails_in_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_check, "ROUND_SECONDS", 2.0)
    began = time.monotonic()
    with pytest.raises(SelfCheckError, match="is the relay running"):
        scene.check()
    assert time.monotonic() - began < 5
