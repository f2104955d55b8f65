"""Two gateways behind nginx, HAProxy and Caddy as `deploy/proxies/` has them: nobody notices that they are there."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest
import requests

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.gateway import RETRY_DELAYS, USERS, Client, Gateway, lms_header, wait_until
from tests.support.new_connections import NewConnections, login_header
from tests.support.proxies import FrontDoor, front_door
from tests.support.raw_http import connection

POLLS = 200
UPLOAD = os.urandom(1024 * 1024) * 30
QUEUES = ("files", "nginx", "haproxy", "caddy", "busy-nginx", "busy-haproxy", "busy-caddy")
SECONDS = 120.0
# As long as HAProxy's and Caddy's checks take to notice; it is ended when they have.
STOP_DELAY = "60"
LOGIN = login_header()
SLOW_BROKER = ("the broker did not confirm in time", "the broker confirms nothing", "the ledger is not being read at")


@pytest.fixture(scope="module")
def module_vhost(broker: Broker) -> Iterator[VHost]:
    with temporary_vhost(broker) as made:
        yield made


@pytest.fixture(scope="module")
def gateways(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """Two, which believe whoever connects from this machine."""
    folder = tmp_path_factory.mktemp("gateways")
    queues = dict.fromkeys(QUEUES)
    settings = {"XQUEUE_TRUSTED_PROXIES": '["127.0.0.1"]', "XQUEUE_STOP_DELAY": STOP_DELAY}
    running = [Gateway(module_vhost.amqp_url, folder, queues=queues, settings=settings) for _ in range(2)]
    declare(module_vhost.amqp_url, topology(queues, RETRY_DELAYS))
    try:
        for gateway in running:
            gateway.start()
        yield running
    finally:
        for gateway in running:
            gateway.kill()


@pytest.fixture(scope="module")
def door(
    request: pytest.FixtureRequest, gateways: list[Gateway], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FrontDoor]:
    with front_door(request.param, gateways, tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


def client(door: FrontDoor, user: str = "lms") -> Client:
    made = Client(door.url, user)
    made.session.verify = str(door.certificate) if door.certificate else True
    return made


def test_probes_that_connect_and_say_nothing_leave_no_line_in_the_log(gateways: list[Gateway]) -> None:
    before = gateways[0].log
    for _ in range(20):
        socket.create_connection(("127.0.0.1", gateways[0].port)).close()
    with Client(gateways[0].url) as lms:
        lms.queuelen("files")
    assert gateways[0].log == before


@pytest.mark.parametrize("door", ["nginx", "nginx-openedx", "haproxy", "caddy"], indirect=True)
def test_an_upload_of_30_mb_that_asks_before_it_is_sent_arrives_and_its_link_leads_through_the_proxy(
    door: FrontDoor,
) -> None:
    fields = {"xqueue_header": lms_header(queue="files"), "xqueue_body": "work"}
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    parts.append('--x\r\nContent-Disposition: form-data; name="essay"; filename="essay"\r\n\r\n')
    body = b"".join([*(part.encode() for part in parts), UPLOAD, b"\r\n--x--\r\n"])
    asks = LOGIN | {"Expect": "100-continue", "Content-Type": "multipart/form-data; boundary=x"}
    with connection(door.url, door.tls) as careful:
        careful.request("POST", "/xqueue/submit/", headers=asks, length=len(body))
        assert careful.answer().status == 100
        careful.send(body)
        # Caddy says it twice, for itself and for the gateway.
        while (answer := careful.answer()).status == 100:
            pass
        assert answer.envelope[0] == 0
    with client(door, "grader") as grader:
        taken = grader.get_one("files")
        link = taken["xqueue_files"]["essay"]
        assert link.startswith(f"{door.url}/")
        assert grader.session.get(link, timeout=60).content == UPLOAD
        # Or it would come once more when its lease is over. Busy, the broker confirms too late at times: then again.
        result = '{"correct": true, "score": 1, "msg": ""}'
        wait_until(lambda: grader.put(taken["xqueue_header"], result)[0] == 0, SECONDS, "no result is taken")


@pytest.mark.parametrize("door", ["nginx", "nginx-openedx", "haproxy", "caddy"], indirect=True)
def test_a_client_that_speaks_http_1_0_and_says_nothing_of_the_scheme_is_served(door: FrontDoor) -> None:
    body = f"username=lms&password={USERS['lms']}".replace(" ", "+").encode()
    with connection(door.url, door.tls) as old:
        old.send(
            b"POST /xqueue/login/ HTTP/1.0\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: \r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        answer = old.answer()
        assert answer.envelope == (0, "Logged in")
        # HAProxy, Caddy and nginx.conf say that it was TLS.
        assert ("secure" in answer.headers["set-cookie"].lower()) == (door.certificate is not None)
        assert old.is_closed()


@dataclass
class Polls:
    """Graders that wait for work, each for as long as it may, again and again until there is some."""

    door: FrontDoor
    queue: str
    empty: int = 0
    # Answered 503 by a gateway, as a broker that is slow makes it do; a proxy's own is no envelope.
    put_off: int = 0
    wrong: list[str] = field(default_factory=list)

    async def taken(self) -> list[str]:
        """Return what each of POLLS was given."""
        limit = aiohttp.TCPConnector(limit=0, ssl=self.door.tls or False)
        async with aiohttp.ClientSession(connector=limit, headers=LOGIN) as session:
            return await asyncio.gather(*(self._poll(session) for _ in range(POLLS)))

    async def _poll(self, session: aiohttp.ClientSession) -> str:
        url = f"{self.door.url}/xqueue/get_submission/?queue_name={self.queue}&wait=55"
        while True:
            try:
                async with session.get(url) as answer:
                    status, said = answer.status, await answer.text()
            except aiohttp.ClientError as error:
                status, said = 0, repr(error)
            envelope = json.loads(said) if status in (200, 503) and said.startswith("{") else {}
            if envelope.get("return_code") == 0:
                return str(json.loads(envelope["content"])["xqueue_body"])
            if envelope.get("content") == f"Queue '{self.queue}' is empty":
                self.empty += 1
            elif status == 503 and envelope:
                self.put_off += 1
                await asyncio.sleep(0.5)
            else:
                self.wrong.append(said)
                await asyncio.sleep(0.5)


@pytest.mark.parametrize("door", ["nginx", "haproxy", "caddy"], indirect=True)
async def test_both_gateways_are_restarted_under_200_idle_polls_and_submits_and_nothing_fails(door: FrontDoor) -> None:
    polls = Polls(door, door.name)
    submits = NewConnections(door.port, f"busy-{door.name}", door.tls, at_once=2, pause=0.2)
    async with asyncio.timeout(SECONDS * 2):
        waiting = asyncio.create_task(polls.taken())
        with submits.submitting():
            for gateway in door.gateways:
                await asyncio.to_thread(restart, door, gateway)
        assert (polls.wrong, submits.wrong) == ([], [])
        # Each had some of them, and told them that there is nothing when it stopped.
        assert polls.empty + polls.put_off >= POLLS
        assert submits.taken > 0
        await asyncio.to_thread(submit, door, polls.queue)
        assert sorted(await waiting) == sorted(f"work {number}" for number in range(POLLS))
    assert polls.wrong == []
    # Nobody was put off for a restart: a busy machine's broker was slow, if anything.
    reasons = {line.partition(" refused: ")[2] for gateway in door.gateways for line in gateway.log.splitlines()}
    assert [reason for reason in reasons if not reason.startswith(SLOW_BROKER) and reason] == []
    with client(door) as lms:
        # None was taken twice; what was put off (503) may have been.
        assert submits.taken <= lms.queuelen(submits.queue) <= submits.taken + submits.put_off


def restart(door: FrontDoor, gateway: Gateway) -> None:
    """Do as docs/howto/proxies.md says, when all polls have come."""
    wait_until(lambda: sum(map(connections, door.gateways)) >= POLLS, SECONDS, "the polls did not come")
    door.leave_alone(gateway)
    assert gateway.process
    gateway.process.send_signal(signal.SIGTERM)
    # Or the two signals could be one.
    wait_until(
        lambda: requests.get(f"{gateway.url}/readyz", timeout=SECONDS).status_code == 503, SECONDS, "it does not go"
    )
    wait_until(lambda: not door.sees(gateway), SECONDS, f"{door.name} does not see that it goes")
    gateway.stop()
    gateway.start()
    door.leave_alone(None)
    wait_until(lambda: door.sees(gateway), SECONDS, f"{door.name} does not see that it is back")


def connections(gateway: Gateway) -> int:
    """How many connections it serves."""
    assert gateway.process
    ours = psutil.Process(gateway.process.pid).net_connections("tcp")
    return sum(each.laddr.port == gateway.port and each.status == psutil.CONN_ESTABLISHED for each in ours)


def submit(door: FrontDoor, queue: str) -> None:
    with client(door) as lms:
        for number in range(POLLS):
            assert lms.submit(lms_header(queue=queue), f"work {number}")[0] == 0
