"""What each broker user may do and may not, tried with real connections on a real broker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from broker_setup.settings import Settings
from broker_setup.topology import (
    ANSWERS_EXCHANGE,
    CHECKED_EXCHANGE,
    CHECKED_QUEUE,
    LEDGER,
    LEDGER_EXCHANGE,
    PARKED_EXCHANGE,
    RESULTS_EXCHANGE,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    RETRY_EXCHANGE,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from tests.support.broker import Broker, temporary_vhost
from tests.support.broker_users import Act, BrokerUsers, api_as, broker_users, call, may_log_in, refusal
from tests.support.operator import Operator, submission, submit

ACCESS_REFUSED = 403
PRECONDITION_FAILED = 406

OWN, OTHER = submissions_queue("openedx"), submissions_queue("matlab")
RUNG = "xqueue.results.rung.1h"
TOPOLOGY = Settings(xqueues={"openedx": None, "matlab": None}, retry_delays=(0.3, 1, 3600)).topology
QUEUES = {queue.name: queue for queue in TOPOLOGY.queues}
EXCHANGES = [exchange.name for exchange in TOPOLOGY.exchanges]


def get(queue: str) -> Act:
    return call("basic_get", queue)


def consume(queue: str) -> Act:
    def act(channel: BlockingChannel) -> None:
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, lambda *_: None)

    return act


def publish(exchange: str, key: str) -> Act:
    return lambda channel: channel.basic_publish(
        exchange, key, b"by hand", pika.BasicProperties(delivery_mode=2), mandatory=True
    )


def purge(queue: str) -> Act:
    return call("queue_purge", queue)


def declare(queue: str) -> Act:
    return lambda channel: channel.queue_declare(queue, durable=True, arguments=dict(QUEUES[queue].arguments))


ACTIONS: dict[str, Act] = {
    "read its own queue": get(OWN),
    "consume its own queue": consume(OWN),
    "purge its own queue": purge(OWN),
    "read another queue": get(OTHER),
    "consume another queue": consume(OTHER),
    "purge another queue": purge(OTHER),
    "read results": get(RESULTS_QUEUE),
    "consume results": consume(RESULTS_QUEUE),
    "purge results": purge(RESULTS_QUEUE),
    "read a rung": get(RUNG),
    "purge a rung": purge(RUNG),
    "read parked results": get(RESULTS_PARKED),
    "purge parked results": purge(RESULTS_PARKED),
    "read parked submissions": get(SUBMISSIONS_PARKED),
    "purge parked submissions": purge(SUBMISSIONS_PARKED),
    "read the ledger": consume(LEDGER),
    "publish a submission": publish(SUBMISSIONS_EXCHANGE, "openedx"),
    "publish a result": publish(RESULTS_EXCHANGE, RESULTS_QUEUE),
    "publish a checked result": publish(CHECKED_EXCHANGE, CHECKED_QUEUE),
    "publish a checked result past the exchange": publish("", CHECKED_QUEUE),
    "bind results to where graders publish": call("exchange_bind", CHECKED_EXCHANGE, RESULTS_EXCHANGE),
    "bind checked results to where graders publish": call("queue_bind", CHECKED_QUEUE, RESULTS_EXCHANGE, "x"),
    "read checked results": get(CHECKED_QUEUE),
    "purge checked results": purge(CHECKED_QUEUE),
    "publish to a rung": publish(RETRY_EXCHANGE, RUNG),
    "publish to a parked queue": publish(PARKED_EXCHANGE, SUBMISSIONS_PARKED),
    "write to the ledger": publish(LEDGER_EXCHANGE, LEDGER),
    "answer a caller": lambda channel: channel.basic_publish(ANSWERS_EXCHANGE, "replies", b""),
    "publish a result past the exchange": publish("", RESULTS_QUEUE),
    "publish a submission past the exchange": publish("", OWN),
    "write to the ledger past the exchange": publish("", LEDGER),
    "publish to an exchange of RabbitMQ's own": publish("amq.direct", "x"),
    "declare a queue that is there": declare(OWN),
    "declare a queue of its own": lambda channel: channel.queue_declare("mine", durable=True),
    "declare a queue without a name": lambda channel: channel.queue_declare("", exclusive=True),
    "take the relay's lock": lambda channel: channel.queue_declare("xqueue.relay", exclusive=True),
    "declare an exchange": call("exchange_declare", "mine", "fanout"),
    "bind its queue to RabbitMQ's log": call("queue_bind", OWN, "amq.rabbitmq.log", "#"),
    "bind results to the ledger's exchange": call("exchange_bind", RESULTS_EXCHANGE, LEDGER_EXCHANGE),
}

MAY: dict[str, set[str]] = {
    "gateway": {
        "read its own queue",
        "consume its own queue",
        "purge its own queue",
        "read another queue",
        "consume another queue",
        "purge another queue",
        "read the ledger",
        "publish a submission",
        "publish a result",
        "publish a checked result",
        "publish to a parked queue",
        "write to the ledger",
    },
    "relay": {
        "take the relay's lock",
        "bind results to where graders publish",
        "read results",
        "read checked results",
        "purge checked results",
        "consume results",
        "purge results",
        "publish a result",
        "publish a checked result",
        "publish to a rung",
        "publish to a parked queue",
        "write to the ledger",
    },
    "passive": {
        "read its own queue",
        "consume its own queue",
        "purge its own queue",
        "read another queue",
        "consume another queue",
        "purge another queue",
        "publish a result",
        "publish a checked result",
        "publish to a parked queue",
        "write to the ledger",
        "answer a caller",
    },
    "broker": {
        "read its own queue",
        "consume its own queue",
        "purge its own queue",
        "read another queue",
        "consume another queue",
        "purge another queue",
        "read a rung",
        "purge a rung",
        "read parked results",
        "purge parked results",
        "read parked submissions",
        "purge parked submissions",
        "read the ledger",
        "publish a submission",
        "publish a result",
        "publish a checked result",
        "write to the ledger",
    },
    "operator": set(),
    "grader": {"read its own queue", "consume its own queue", "purge its own queue", "publish a result"},
}


@pytest.fixture(scope="module")
def users(broker: Broker) -> Iterator[BrokerUsers]:
    with temporary_vhost(broker) as vhost, broker_users(vhost, {"grader": ["openedx"]}) as made:
        yield made


@pytest.fixture(scope="module")
def urls(users: BrokerUsers) -> dict[str, str]:
    return users.set_up()


@pytest.fixture(scope="module")
def connections(urls: dict[str, str]) -> Iterator[dict[str, pika.BlockingConnection]]:
    opened = {}
    try:
        for who, url in urls.items():
            parameters = pika.URLParameters(url)
            parameters.heartbeat = 0
            opened[who] = pika.BlockingConnection(parameters)
        yield opened
    finally:
        for connection in opened.values():
            connection.close()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", MAY)
def test_each_may_do_what_it_needs_and_nothing_else(
    connections: dict[str, pika.BlockingConnection], who: str, action: str
) -> None:
    assert refusal(connections[who], ACTIONS[action]) == (None if action in MAY[who] else ACCESS_REFUSED)


@pytest.mark.parametrize("who", MAY)
def test_nobody_deletes_anything(connections: dict[str, pika.BlockingConnection], who: str) -> None:
    for queue in QUEUES:
        assert refusal(connections[who], call("queue_delete", queue)) == ACCESS_REFUSED
    for exchange in EXCHANGES:
        assert refusal(connections[who], call("exchange_delete", exchange)) == ACCESS_REFUSED


@pytest.mark.parametrize("who", MAY)
def test_nobody_binds_anything_but_the_relay_to_the_exchange_of_its_results(
    connections: dict[str, pika.BlockingConnection], who: str
) -> None:
    bound = {
        (queue, exchange)
        for queue in QUEUES
        for exchange in [*EXCHANGES, "amq.direct", "amq.fanout"]
        for codes in [
            {
                refusal(connections[who], call("queue_bind", queue, exchange, "of a test")),
                refusal(connections[who], call("queue_unbind", queue, exchange, "of a test")),
            }
        ]
        if codes != {ACCESS_REFUSED}
    }
    rungs = [name for name in QUEUES if ".rung." in name or ".notices." in name]
    allowed = {(queue, RESULTS_EXCHANGE) for queue in (RESULTS_QUEUE, RESULTS_PARKED, *rungs)}
    assert bound == (allowed if who == "relay" else set())


@pytest.mark.parametrize("who", ["gateway", "relay", "passive", "broker", "grader"])
def test_nobody_publishes_under_another_name(
    connections: dict[str, pika.BlockingConnection], users: BrokerUsers, who: str
) -> None:
    def under(name: str) -> Act:
        properties = pika.BasicProperties(user_id=users.name(name))
        return lambda channel: channel.basic_publish(RESULTS_EXCHANGE, RESULTS_QUEUE, b"", properties, mandatory=True)

    assert refusal(connections[who], under(who)) is None
    other = "gateway" if who != "gateway" else "grader"
    assert refusal(connections[who], under(other)) == PRECONDITION_FAILED


def test_people_at_the_management_ui_see_the_queues_and_touch_nothing(urls: dict[str, str], users: BrokerUsers) -> None:
    name = users.name("operator")
    queue = f"queues/{{vhost}}/{OWN}"
    take = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    put = {"properties": {}, "routing_key": RESULTS_QUEUE, "payload": "x", "payload_encoding": "string"}

    def status(method: str, path: str, body: object = None) -> int:
        return api_as(users.vhost, urls["operator"], method, path, body)

    assert status("GET", "queues/{vhost}") == 200
    assert status("GET", queue) == 200
    assert status("GET", "connections") == 200
    refused = [
        status("POST", f"{queue}/get", take),
        status("POST", f"exchanges/{{vhost}}/{RESULTS_EXCHANGE}/publish", put),
        status("DELETE", f"{queue}/contents"),
        status("DELETE", queue),
        status("PUT", "queues/{vhost}/mine", {"durable": True}),
        status("GET", "users"),
        status("PUT", f"permissions/{{vhost}}/{name}", {"configure": ".*", "write": ".*", "read": ".*"}),
    ]
    assert set(refused) <= {400, 401, 403}, refused
    # 400 is what it answers where AMQP refused: nothing was deleted or made.
    assert status("GET", queue) == 200
    assert status("GET", "queues/{vhost}/mine") == 404


@pytest.mark.parametrize("who", MAY)
def test_nobody_gets_into_another_virtual_host(urls: dict[str, str], who: str) -> None:
    assert may_log_in(urls[who])
    assert not may_log_in(urls[who].rpartition("/")[0] + "/")


@pytest.mark.parametrize("who", MAY)
def test_only_people_get_into_the_management_api(urls: dict[str, str], users: BrokerUsers, who: str) -> None:
    assert api_as(users.vhost, urls[who], "GET", "overview") in ({200} if who == "operator" else {401, 403})


async def test_the_commands_work_as_their_user_and_declare_does_not(urls: dict[str, str], users: BrokerUsers) -> None:
    operator = Operator(urls["broker"])
    settings = {key: value for key, value in users.settings.items() if key != "MANAGEMENT_URL"}
    old = submission(datetime.now(UTC) - timedelta(days=1), "http://lms.example/1", queue="matlab")
    await submit(users.vhost.amqp_url, [old])
    counts = {each["queue"]: each["waiting"] for each in operator.json("count", **settings)["queues"]}
    assert counts["matlab"] >= 1
    assert operator.json("retire", "matlab", "--before", "1h", "--yes", **settings)["retired"] == 1
    [traced] = operator.json("trace", old.uuid, **settings)["submissions"]
    assert [event["event"] for event in traced["events"]] == ["retired"]
    paused = operator.json("pause", "matlab", "--reason", "why", **settings)["paused"]
    assert [each["paused"] for each in operator.json("count", "matlab", **settings)["queues"]] == [paused]
    assert operator.json("resume", "matlab", **settings)["was_paused"]
    refused = operator.run("declare", **settings)
    assert refused.returncode == 1
    assert "ACCESS_REFUSED" in refused.stderr
