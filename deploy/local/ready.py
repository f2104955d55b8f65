"""Waiting, with a deadline, until something really answers."""

import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

import pika
import pika.exceptions
import requests

POLL = 0.1  # seconds


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again; tell whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def amqp_answers(url: str) -> bool:
    """Tell whether a client can log in."""
    parameters = pika.URLParameters(url)
    try:  # a bare connect first: pika logs each refusal at length
        socket.create_connection((parameters.host, parameters.port), timeout=1).close()
        pika.BlockingConnection(parameters).close()
    except (OSError, pika.exceptions.AMQPError):
        return False
    return True


def queues_answer(amqp_url: str, management_url: str, *, has_some: bool = False) -> bool:
    """Tell whether every durable queue of the URL's virtual host is there again.

    A node that has booted refuses a stream with 404 until it has a leader: 0.3 s after the rest on 3.10.8. Until then
    4.0.5 lists no queue at all, so with `has_some` an empty list is none.
    """
    parameters = pika.URLParameters(amqp_url)
    try:
        with requests.Session() as session:
            session.trust_env = False
            path = f"queues/{quote(parameters.virtual_host, safe='')}?columns=name,durable"
            queues = session.get(f"{management_url}/api/{path}", timeout=5).json()
        if has_some and not queues:
            return False
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            for queue in queues:
                if queue["durable"]:
                    channel.queue_declare(queue["name"], passive=True)
    except (requests.RequestException, pika.exceptions.AMQPError):
        return False
    return True


def http_answers(url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and the loopback
            answer = session.get(url, timeout=5, allow_redirects=False)
            return answer.status_code == HTTPStatus.OK
    except requests.RequestException:
        return False
