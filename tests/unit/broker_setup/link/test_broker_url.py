"""The user, the address and the virtual host in an AMQP URL."""

from pathlib import Path

import pika
import pytest

from broker_setup.link.broker_url import (
    address_of,
    at_address,
    each_of,
    trusting,
    url_for,
    user_of,
    vhost_of,
    without_ca_bundle,
)


@pytest.mark.parametrize(
    ("url", "user", "vhost"),
    [
        ("amqp://guest:guest@127.0.0.1:5672/", "guest", "/"),
        ("amqp://guest:guest@127.0.0.1:5672", "guest", "/"),
        ("amqps://a%40b%2F:p%3A@h/%2f", "a@b/", "/"),
        ("amqp://u:p@[::1]:5672/my%20host?heartbeat=5", "u", "my host"),
        ("amqp://:token@h/v", None, "v"),
        ("amqp://h/v", None, "v"),
    ],
)
def test_user_and_virtual_host_are_read(url: str, user: str | None, vhost: str) -> None:
    assert user_of(url) == user
    assert vhost_of(url) == vhost


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("amqp://guest:hunter2@127.0.0.1:5673/vhost", "127.0.0.1:5673"),
        ("amqp://u:p%40ss@broker.example/", "broker.example:5672"),
        ("amqps://u:p@broker.example/", "broker.example:5671"),
        ("amqp://u:p@[::1]/", "[::1]:5672"),
        ("amqp:///v", "localhost:5672"),
    ],
)
def test_the_address_is_host_and_port_without_the_account(url: str, address: str) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize("name", ["g", "a@b", "a/b:c", "ünï cødé", "100%"])
def test_another_users_url_is_what_a_client_reads_as_that(name: str) -> None:
    made = url_for("amqps://admin:p%40ss@[::1]:5673/my%20host?heartbeat=5", name, "p/@:%ß")
    assert made.endswith("@[::1]:5673/my%20host?heartbeat=5")
    read = pika.URLParameters(made)
    assert (read.credentials.username, read.credentials.password) == (name, "p/@:%ß")
    assert (read.host, read.port, read.virtual_host) == ("::1", 5673, "my host")
    assert user_of(made) == name


def test_a_url_without_a_user_gets_one() -> None:
    assert url_for("amqp://h/", "u", "p") == "amqp://u:p@h/"


def test_a_bundle_stands_in_the_url_and_can_be_taken_out() -> None:
    url = "amqps://u:p%40@broker.example/v%2F?heartbeat=5&cafile=/old"
    with_bundle = trusting(url, Path("/a b/ca.pem"))
    assert without_ca_bundle(with_bundle) == (
        "amqps://u:p%40@broker.example/v%2F?heartbeat=5",
        Path("/a b/ca.pem"),
    )
    assert without_ca_bundle("amqps://h/v") == ("amqps://h/v", None)
    assert trusting("amqp://h/v", Path("/ca.pem")) == "amqp://h/v"


def test_several_nodes_are_one_url_in_which_each_keeps_its_own_address() -> None:
    url = "amqp://u:p,w@a:5673/v, amqps://u:p,w@b/v,amqp://u:p,w@[::1]/v"
    assert each_of(url) == ["amqp://u:p,w@a:5673/v", "amqps://u:p,w@b/v", "amqp://u:p,w@[::1]/v"]
    assert (user_of(url), vhost_of(url), address_of(url)) == ("u", "v", "a:5673, b:5671, [::1]:5672")
    assert url_for(url, "x", "y") == "amqp://x:y@a:5673/v,amqps://x:y@b/v,amqp://x:y@[::1]/v"
    assert trusting(url, Path("/ca")).count("cafile") == 1


@pytest.mark.parametrize(
    ("uri", "address", "expected"),
    [
        ("amqp://u:p@broker/v?heartbeat=5", "10.0.0.1", "amqp://u:p@10.0.0.1:5672/v?heartbeat=5"),
        ("amqp://broker:5673", "fd00::1", "amqp://[fd00::1]:5673"),
    ],
)
def test_a_name_gives_way_to_one_of_its_addresses(uri: str, address: str, expected: str) -> None:
    assert at_address(uri, address) == expected
