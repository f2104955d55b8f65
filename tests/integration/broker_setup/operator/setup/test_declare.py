"""Declaring and checking the topology on a real broker."""

from collections.abc import Mapping

import pika
import pytest

from broker_setup.errors import BrokerUnavailableError, TopologyError
from broker_setup.operator.setup.declare import check, declare
from broker_setup.topology import Topology
from tests.support.broker import VHost

QUORUM = {"x-queue-type": "quorum"}


def make_queue(vhost: VHost, name: str, arguments: Mapping[str, str | int] = QUORUM) -> None:
    with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
        connection.channel().queue_declare(name, durable=True, arguments=dict(arguments))


def test_everything_is_there_after_the_first_time(vhost: VHost, example: Topology) -> None:
    declare(vhost.amqp_url, example)
    queues = {queue["name"]: queue for queue in vhost.api("GET", "queues/{vhost}").json()}
    assert set(queues) == {queue.name for queue in example.queues}
    for queue in example.queues:
        assert queues[queue.name]["durable"]
        assert queues[queue.name]["arguments"] == dict(queue.arguments)
    bindings = vhost.api("GET", "bindings/{vhost}").json()
    for binding in example.bindings:
        wanted = {"source": binding.exchange, "destination": binding.queue, "routing_key": binding.routing_key}
        assert any(wanted.items() <= each.items() for each in bindings)


def test_declaring_again_changes_nothing(vhost: VHost, example: Topology) -> None:
    declare(vhost.amqp_url, example)
    declare(vhost.amqp_url, example)
    assert check(vhost.amqp_url, example) == []


def test_a_queue_with_other_arguments_is_named_with_both_values_and_the_rest_is_declared(
    vhost: VHost, example: Topology
) -> None:
    ours = next(queue for queue in example.queues if queue.name == "xqueue.results.rung.1s")
    make_queue(vhost, ours.name, {**ours.arguments, "x-message-ttl": 5000})
    with pytest.raises(TopologyError) as caught:
        declare(vhost.amqp_url, example)
    text = str(caught.value)
    for part in ("'xqueue.results.rung.1s'", "x-message-ttl", "1000", "5000", "xqueue-broker migrate"):
        assert part in text
    assert "\n" not in text
    assert check(vhost.amqp_url, example) == [text]


def test_an_argument_that_only_we_have_is_named_too(vhost: VHost, example: Topology) -> None:
    make_queue(vhost, "xqueue.submissions.parked")
    with pytest.raises(TopologyError, match=r"'xqueue.submissions.parked' .*x-delivery-limit.*1000000.*none"):
        declare(vhost.amqp_url, example)


def test_every_queue_and_exchange_with_other_arguments_is_named(vhost: VHost, example: Topology) -> None:
    make_queue(vhost, "xqueue.results")
    make_queue(vhost, "xqueue.submissions.openedx")
    with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
        connection.channel().exchange_declare("xqueue.submissions", "fanout", durable=True)
    with pytest.raises(TopologyError) as caught:
        declare(vhost.amqp_url, example)
    first, second, third = str(caught.value).split("\n")
    assert "exchange 'xqueue.submissions'" in first
    assert "fanout" in first
    assert "queue 'xqueue.submissions.openedx'" in second
    assert "queue 'xqueue.results'" in third


def test_what_is_missing_is_listed_and_not_made(vhost: VHost, example: Topology) -> None:
    problems = check(vhost.amqp_url, example)
    assert len(problems) == len(example.exchanges) + len(example.queues)
    assert all("is missing: run `xqueue-broker declare`" in problem for problem in problems)
    assert vhost.api("GET", "queues/{vhost}").json() == []


def test_one_missing_queue_is_named(declared: VHost, example: Topology) -> None:
    declared.api("DELETE", "queues/{vhost}/xqueue.results.parked")
    assert check(declared.amqp_url, example) == [
        "queue 'xqueue.results.parked' is missing: run `xqueue-broker declare`"
    ]


def test_a_queue_with_messages_keeps_them_when_it_is_declared_again(declared: VHost, example: Topology) -> None:
    with pika.BlockingConnection(pika.URLParameters(declared.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "xqueue.results", b"x")
        declare(declared.amqp_url, example)
        assert channel.queue_declare("xqueue.results", passive=True).method.message_count == 1


def test_a_wrong_password_is_said_without_showing_it(vhost: VHost, example: Topology) -> None:
    account, _, where = vhost.amqp_url.rpartition("@")
    user = account.rpartition(":")[0]
    with pytest.raises(BrokerUnavailableError) as caught:
        declare(f"{user}:hunter2@{where}", example)
    assert "can't connect to the broker" in str(caught.value)
    assert "ACCESS_REFUSED" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_virtual_host_that_is_not_there_is_named(vhost: VHost, example: Topology) -> None:
    url = f"{vhost.amqp_url.rpartition('/')[0]}/nowhere"
    with pytest.raises(BrokerUnavailableError, match="nowhere"):
        declare(url, example)


def test_no_broker_is_said_with_its_address(example: Topology) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1:"):
        check("amqp://guest:guest@127.0.0.1:1/", example)
