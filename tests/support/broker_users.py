"""The broker users of a test: made by `xqueue-broker setup`, under names of the test's own, and deleted at its end."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pika
import requests

from tests.support.broker import VHost
from tests.support.operator import Operator

QUEUES = {"openedx": None, "matlab": None}


@dataclass(frozen=True)
class BrokerUsers:
    """What one virtual host's users are told: by role, or by a grader's name without the test's own prefix."""

    vhost: VHost
    graders: Mapping[str, Sequence[str]]
    queues: Mapping[str, str | None]

    def name(self, who: str) -> str:
        """Users are the whole broker's, so their names carry the virtual host's."""
        return f"{self.vhost.name}-{who}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings that say so, without XQUEUE_."""
        roles = ("gateway", "relay", "passive", "broker", "operator")
        return {
            "MANAGEMENT_URL": self.vhost.management_url,
            "XQUEUES": json.dumps(self.queues),
            "SERVICE_USERS": json.dumps({role: self.name(role) for role in roles}),
            "AMQP_GRADERS": json.dumps({self.name(name): queues for name, queues in self.graders.items()}),
        }

    def setup(self, *arguments: str, **settings: str) -> Any:
        """Run `xqueue-broker setup --json`; it must succeed."""
        return Operator(self.vhost.amqp_url).json("setup", *arguments, **(self.settings | settings))

    def set_up(self, **settings: str) -> dict[str, str]:
        """Make the users; return the AMQP URL of each, by role or grader."""
        told = self.setup(**settings)["users"]
        return {user["name"].removeprefix(f"{self.vhost.name}-"): user["amqp_url"] for user in told}

    def delete(self) -> None:
        for user in self.vhost.api("GET", "users").json():
            if user["name"].startswith(f"{self.vhost.name}-"):
                self.vhost.api("DELETE", f"users/{quote(user['name'], safe='')}")


@contextlib.contextmanager
def broker_users(
    vhost: VHost, graders: Mapping[str, Sequence[str]], queues: Mapping[str, str | None] | None = None
) -> Iterator[BrokerUsers]:
    """Prepare users, with graders by name; whatever was made is deleted when the block ends."""
    users = BrokerUsers(vhost, graders, QUEUES if queues is None else queues)
    try:
        yield users
    finally:
        users.delete()


Act = Callable[[Any], object]


def call(method: str, *arguments: object) -> Act:
    """Name something to do on a channel: one of its methods."""
    return lambda channel: getattr(channel, method)(*arguments)


def refusal(connection: pika.BlockingConnection, act: Act) -> int | None:
    """Let `act` do something on a channel with confirms; return the broker's code if it was refused, else None."""
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        act(channel)
    except pika.exceptions.ChannelClosedByBroker as error:
        return int(error.reply_code)
    channel.close()
    return None


def may_log_in(amqp_url: str) -> bool:
    try:
        pika.BlockingConnection(pika.URLParameters(amqp_url)).close()
    except (
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.ProbableAccessDeniedError,
        pika.exceptions.ConnectionClosedByBroker,
    ):
        return False
    return True


def api_as(vhost: VHost, amqp_url: str, method: str, path: str, body: object = None) -> int:
    """Call the management API as the user of an AMQP URL; return the status."""
    account = urlsplit(amqp_url)
    where = vhost.management_url.rpartition("@")[2]
    with requests.Session() as session:
        session.trust_env = False
        url = f"http://{where}/api/{path.format(vhost=quote(vhost.name, safe=''))}"
        return session.request(
            method, url, json=body, auth=(account.username or "", account.password or ""), timeout=30
        ).status_code
