"""Leases and results over the deaths of gateways and across several of them: what one knows, all know."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests

from broker_setup.topology import submissions_queue
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, wait_until

pytestmark = pytest.mark.usefixtures("empty")

DONE = (0, "")
WRONG_KEY = (1, "Incorrect key for submission")
SHORT_SECONDS = 2.0
# A delivery that nobody asks for goes back after one second, and an idle consumer ends after 5.
GIVEN_BACK_SECONDS = 4.0

CutOff = Callable[[Gateway], None]


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Leases of the queue `other` are short."""
    return {"XQUEUE_QUEUE_OPTIONS": json.dumps({"other": {"processing_delay": SHORT_SECONDS / 60}})}


@pytest.fixture(scope="module")
def second(
    module_vhost: VHost, gateway: Gateway, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Another gateway beside the first one, on the same virtual host."""
    other = Gateway(module_vhost.amqp_url, tmp_path_factory.mktemp("second"), settings=gateway.settings)
    other.start()
    yield other
    other.stop()
    assert "Traceback" not in other.log, other.log


@pytest.fixture
def grader_of_second(second: Gateway) -> Iterator[Client]:
    with Client(second.url, "grader") as client:
        yield client


@pytest.fixture
def cut_off(module_vhost: VHost) -> CutOff:
    """Have the broker close the connection on which a gateway consumes."""

    def close(gateway: Gateway) -> None:
        name, found = re.compile(rf"xqueue-gateway \S+:{gateway.port} \d+ consuming"), list[str]()

        def listed() -> bool:
            connections = module_vhost.api("GET", "vhosts/{vhost}/connections").json()
            named = [
                each for each in connections if name.fullmatch(each["client_properties"].get("connection_name", ""))
            ]
            found[:] = [each["name"] for each in named]
            return bool(found)

        wait_until(listed, 60, f"the broker does not list {name.pattern}")
        for each in found:
            try:
                module_vhost.api("DELETE", f"connections/{quote(each, safe='')}")
            except requests.HTTPError as error:
                if error.response.status_code != 404:  # of an earlier life: the list lags
                    raise

    return close


def submit(lms: Client, *works: str, queue: str = "openedx") -> None:
    for work in works:
        assert lms.submit(lms_header(queue=queue), work)[0] == 0


def take_some(grader: Client) -> list[dict[str, Any]]:
    """Take until nothing comes for a moment, and maybe less than there is."""
    all_taken = []
    while taken := grader.get(wait=1):
        all_taken.append(taken)
    return all_taken


def works(taken: list[dict[str, Any]]) -> list[str]:
    return sorted(each["xqueue_body"] for each in taken)


def crash(gateway: Gateway) -> None:
    gateway.kill()
    gateway.start()


def test_a_running_lease_outlives_its_gateway_and_its_work_goes_to_nobody_else(
    gateway: Gateway, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    submit(lms, "1", "2", "3")
    leased = [grader.get_one(), grader.get_one()]
    crash(gateway)
    left = grader.get_all(1)
    assert works(left) == ["3"]
    grader.wait_queuelen(0)
    for taken in [*leased, *left]:
        assert grader.put(taken["xqueue_header"], f"graded {taken['xqueue_body']}") == DONE
    assert sorted(came.body for came in beside.take_all()) == [b"graded 1", b"graded 2", b"graded 3"]
    crash(gateway)
    grader.get_all(0)


def test_a_wrong_key_is_refused_and_a_right_one_taken_by_a_gateway_that_knows_the_lease_from_the_ledger_only(
    gateway: Gateway, lms: Client, grader: Client
) -> None:
    submit(lms, "work")
    taken = grader.get_one()
    crash(gateway)
    wrong = json.loads(taken["xqueue_header"]) | {"submission_key": "0" * 32}
    assert grader.put(json.dumps(wrong), "reply") == WRONG_KEY
    unknown = json.loads(taken["xqueue_header"]) | {"submission_id": 7}
    assert grader.put(json.dumps(unknown), "reply") == (1, "Submission does not exist")
    assert grader.put(taken["xqueue_header"], "reply") == DONE


def test_a_result_repeated_or_corrected_after_a_crash_is_a_repeat_or_an_amendment(
    gateway: Gateway, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    submit(lms, "work")
    taken = grader.get_one()
    assert grader.put(taken["xqueue_header"], "first") == DONE
    crash(gateway)
    assert grader.put(taken["xqueue_header"], "first") == DONE
    assert [(came.body, came.headers.get("xqueue-amendment", 0)) for came in beside.take_all()] == [(b"first", 0)]
    assert grader.put(taken["xqueue_header"], "second") == DONE
    crash(gateway)
    assert grader.put(taken["xqueue_header"], "second") == DONE
    assert [(came.body, came.headers.get("xqueue-amendment", 0)) for came in beside.take_all()] == [(b"second", 1)]


def test_a_result_may_be_handed_in_at_another_gateway_and_the_holder_lets_go_of_the_delivery(
    gateway: Gateway, lms: Client, grader: Client, grader_of_second: Client, beside: BrokerSide
) -> None:
    submit(lms, "graded", "left over")
    graded, left_over = grader.get_one(), grader.get_one()
    assert grader_of_second.put(graded["xqueue_header"], "reply") == DONE
    # The same again, and at the other one, is still the same.
    assert grader.put(graded["xqueue_header"], "reply") == DONE
    # A gateway that has not read of the first yet publishes it as well, as the same result: the relay posts one.
    assert {(came.body, came.headers.get("xqueue-amendment", 0)) for came in beside.take_all()} == {(b"reply", 0)}
    # The count is asked for on the way that the ack went before, so that the broker has it now.
    assert grader.queuelen() == 0
    # What it still holds comes back all at once when it ends.
    gateway.kill()
    beside.wait_ready(submissions_queue("openedx"), 1)
    assert beside.ready(submissions_queue("openedx")) == 1
    grader_of_second.get_all(0)
    assert grader_of_second.put(left_over["xqueue_header"], "reply") == DONE
    gateway.start()


def test_what_one_gateway_keeps_for_its_graders_goes_soon_to_another_gateways_graders(
    lms: Client, grader: Client, grader_of_second: Client
) -> None:
    submit(lms, *(str(number) for number in range(10, 22)))
    mine = [grader.get_one() for _ in range(4)]
    start = time.monotonic()
    theirs = [grader_of_second.get_one() for _ in range(8)]
    assert time.monotonic() - start < GIVEN_BACK_SECONDS
    assert works(mine + theirs) == [str(number) for number in range(10, 22)]
    for taken in mine + theirs:
        assert grader.put(taken["xqueue_header"], "reply") == DONE


def test_graders_of_two_gateways_never_get_the_same_submission(
    gateway: Gateway, second: Gateway, lms: Client, beside: BrokerSide
) -> None:
    submit(lms, *(str(number) for number in range(60)))

    graded: list[str] = []

    def grade(url: str) -> None:
        with Client(url, "grader") as client:
            while len(graded) < 60:
                if taken := client.get(wait=1):
                    assert client.put(taken["xqueue_header"], taken["xqueue_body"]) == DONE
                    graded.append(taken["xqueue_body"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(grade, [gateway.url, second.url] * 4))
    assert sorted(graded, key=int) == [str(number) for number in range(60)]
    assert len(beside.take_all()) == 60


def test_a_frozen_gateway_that_lost_its_deliveries_hands_out_nothing_twice(
    gateway: Gateway, cut_off: CutOff, grader: Client, grader_of_second: Client, beside: BrokerSide
) -> None:
    queue = submissions_queue("openedx")
    wait_until(lambda: beside.consumers(queue) == 0, 2 * PATIENCE_SECONDS, "a gateway still consumes for nobody")
    submit(grader, *(str(number) for number in range(10, 22)))
    leased = [grader.get_one() for _ in range(3)]
    with ThreadPoolExecutor(1) as pool:
        try:
            gateway.freeze()
            while beside.ready(queue) == 12 - len(leased):  # what it had in memory went back just before
                gateway.thaw()
                leased.append(grader.get_one())
                gateway.freeze()
            # It is asked while it sleeps, and will answer out of what it believes to have.
            asked = pool.submit(grader.raw, "GET", "get_submission/", params={"queue_name": "openedx"}, timeout=90)
            others = take_some(grader_of_second)
            assert len(leased + others) < 12, "nothing waits in the memory of the frozen one"
            cut_off(gateway)
            others += grader_of_second.get_all(12 - len(leased + others))
            assert works(leased + others) == [str(number) for number in range(10, 22)]
            # Its leases are known to the other one, which holds their deliveries now.
            for taken in leased[:2]:
                assert grader_of_second.put(taken["xqueue_header"], "reply") == DONE
        finally:
            gateway.thaw()
        answer = asked.result(90)
    assert answer.status_code == 503 or answer.json()["return_code"] == 1, answer.text
    grader.get_all(0)
    for taken in leased[2:] + others:
        assert grader.put(taken["xqueue_header"], "reply") == DONE
    assert len(beside.take_all()) == 12


def test_a_frozen_gateway_takes_no_late_result_of_what_another_has_leased_since(
    gateway: Gateway, cut_off: CutOff, grader: Client, grader_of_second: Client, beside: BrokerSide
) -> None:
    submit(grader, "work", queue="other")
    first = grader.get_one("other")
    form = {"xqueue_header": first["xqueue_header"], "xqueue_body": "late"}
    with ThreadPoolExecutor(1) as pool:
        gateway.freeze()
        try:
            cut_off(gateway)
            second = grader_of_second.get_one("other")
            # What it last read of the ledger says that nobody else has it.
            asked = pool.submit(grader.raw, "POST", "put_result/", data=form)
            assert not asked.done()
        finally:
            gateway.thaw()
        answer = asked.result(60)
    assert answer.json() == {"return_code": 1, "content": WRONG_KEY[1]}
    assert grader_of_second.put(second["xqueue_header"], "in time") == DONE
    assert [came.body for came in beside.take_all()] == [b"in time"]
