"""Where RabbitMQ comes from."""

from pathlib import Path

import pytest

from deploy.local.errors import NoBrokerError
from deploy.local.find import Docker, Facts, Given, Installed, Packages, sources

SERVER = Path("/somewhere/rabbitmq-server")


def test_a_given_broker_is_used_and_nothing_else() -> None:
    facts = Facts(amqp_url="amqp://elsewhere/", server=SERVER, apt=True, docker=True)
    assert sources(facts) == [Given("amqp://elsewhere/")]


def test_an_installed_server_comes_before_packages_and_docker() -> None:
    assert sources(Facts(server=SERVER, apt=True, docker=True)) == [Installed(SERVER), Packages(), Docker()]


def test_packages_come_before_docker() -> None:
    assert sources(Facts(apt=True, docker=True)) == [Packages(), Docker()]


def test_docker_is_the_last_resort() -> None:
    assert sources(Facts(docker=True)) == [Docker()]


def test_with_nothing_there_one_sentence_says_what_to_install() -> None:
    with pytest.raises(NoBrokerError, match=r"install the package rabbitmq-server .* or start Docker"):
        sources(Facts())
