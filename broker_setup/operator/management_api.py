"""RabbitMQ's management API, as much of it as we need; every failure is one sentence without a secret."""

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from broker_setup.errors import BrokerUnavailableError, ManagementError
from broker_setup.failure_words import why_within
from broker_setup.link.broker_url import vhost_of
from broker_setup.rights import Rights, regex
from broker_setup.settings import Settings

SECONDS = 30.0
NOT_FOUND = 404

# RabbitMQ stores base64(salt + digest(salt + password)).
_DIGESTS = {"rabbit_password_hashing_sha256": "sha256", "rabbit_password_hashing_sha512": "sha512"}
_SALT_BYTES = 4


@dataclass(frozen=True)
class FoundUser:
    """A user as it is at the broker."""

    name: str
    tags: frozenset[str]
    password_hash: str
    hashing: str

    def has_password(self, password: str) -> bool:
        """Say whether `password` is this user's; False too where the broker hashes in a way that we don't know."""
        if self.hashing not in _DIGESTS:
            return False
        stored = base64.b64decode(self.password_hash)
        salt = stored[:_SALT_BYTES]
        return stored == salt + hashlib.new(_DIGESTS[self.hashing], salt + password.encode()).digest()


def management_api(settings: Settings, *, patience: float = SECONDS) -> "Management | None":
    """Open the API that MANAGEMENT_URL leads to, for our virtual host; None where that is not set."""
    if settings.management_url is None:
        return None
    vhost = vhost_of(settings.amqp_url.get_secret_value())
    return Management(settings.management_url.get_secret_value(), vhost, settings.broker_ca_bundle, patience=patience)


class Management:
    """The API at `url`, which carries an account; what is asked is about one virtual host.

    To look, an account with the tag `monitoring` is enough; all else is an administrator's.
    """

    def __init__(self, url: str, vhost: str, ca_bundle: Path | None = None, *, patience: float = SECONDS) -> None:
        parts = urlsplit(url)
        self._base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() + "/api"
        self._vhost = _part(vhost)
        self._patience = patience
        self._session = requests.Session()
        # No proxy of the environment's gets the administrator's password.
        self._session.trust_env = False
        if ca_bundle:
            self._session.verify = str(ca_bundle)
        # Not in the URL, which requests quotes in its errors. Bytes: of text, it sends Latin-1.
        user, password = (unquote(part or "guest").encode() for part in (parts.username, parts.password))
        self._session.auth = HTTPBasicAuth(user, password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def users(self) -> Mapping[str, FoundUser]:
        """List the broker's users, by name."""
        found = (_found(entry) for entry in self._call("GET", "users") or ())
        return {user.name: user for user in found}

    def put_user(self, name: str, tags: frozenset[str], password: str | FoundUser) -> None:
        """Make a user or change it; given what was found, its password stays."""
        if isinstance(password, FoundUser):
            secret = {"password_hash": password.password_hash, "hashing_algorithm": password.hashing}
        else:
            secret = {"password": password}
        self._call("PUT", f"users/{_part(name)}", {**secret, "tags": ",".join(sorted(tags))})

    def rights(self) -> Mapping[str, Mapping[str, str]]:
        """List who has which rights in the virtual host: by user `configure`, `write` and `read`."""
        entries = self._call("GET", f"vhosts/{self._vhost}/permissions") or ()
        return {entry["user"]: {kind: entry[kind] for kind in ("configure", "write", "read")} for entry in entries}

    def put_rights(self, name: str, rights: Mapping[str, str]) -> None:
        """Give a user these rights in the virtual host, and no others."""
        self._call("PUT", f"permissions/{self._vhost}/{_part(name)}", rights)

    def limits(self) -> Mapping[str, Mapping[str, int]]:
        """List how many connections and channels users may have, by name of those that have a limit."""
        return {entry["user"]: entry["value"] for entry in self._call("GET", "user-limits") or ()}

    def put_limit(self, name: str, limit: str, value: int) -> None:
        """Limit a user: `max-connections` or `max-channels`."""
        self._call("PUT", f"user-limits/{_part(name)}/{limit}", {"value": value})

    def take_rights(self, name: str) -> None:
        """Take all rights in the virtual host from a user."""
        self._call("DELETE", f"permissions/{self._vhost}/{_part(name)}")

    def close_connections(self, name: str) -> None:
        """Close a user's connections to the virtual host."""
        for entry in self._call("GET", f"vhosts/{self._vhost}/connections") or ():
            if entry.get("user") == name:
                self._call("DELETE", f"connections/{_part(entry['name'])}", gone_is_fine=True)

    def close_consumers(self, queues: Collection[str]) -> None:
        """Close the connections that consume from any of these queues: what they hold goes back."""
        consumers = self._call("GET", f"consumers/{self._vhost}") or ()
        found = {each["channel_details"]["connection_name"] for each in consumers if each["queue"]["name"] in queues}
        for connection in found:
            self._call("DELETE", f"connections/{_part(connection)}", gone_is_fine=True)

    def bindings(self) -> set[tuple[str, str, str]]:
        """List the bindings of the virtual host's queues: exchange, queue, routing key."""
        return {
            (entry["source"], entry["destination"], entry["routing_key"])
            for entry in self._call("GET", f"bindings/{self._vhost}") or ()
            if entry["destination_type"] == "queue"
        }

    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        """List the virtual host's policies, by name."""
        return {entry["name"]: entry for entry in self._call("GET", f"policies/{self._vhost}") or ()}

    def put_policy(self, name: str, policy: Mapping[str, Any]) -> None:
        """Make a policy or change it."""
        self._call("PUT", f"policies/{self._vhost}/{_part(name)}", policy)

    def dead_letters(self) -> Mapping[str, int]:
        """Count by queue what has left it as dead letters and is not confirmed where it goes to.

        These are the broker's statistics, some 5 s old. Streams have none, nor has a queue that was just made.
        """
        entries = self._call("GET", f"queues/{self._vhost}?columns=name,messages_dlx") or ()
        return {entry["name"]: entry["messages_dlx"] for entry in entries if "messages_dlx" in entry}

    def held(self) -> Mapping[str, int]:
        """Count by queue what somebody keeps unacked, as the same statistics have it."""
        entries = self._call("GET", f"queues/{self._vhost}?columns=name,messages_unacknowledged") or ()
        return {
            entry["name"]: entry["messages_unacknowledged"] for entry in entries if "messages_unacknowledged" in entry
        }

    def version(self) -> str:
        """Say which RabbitMQ it is, such as `3.10.8`."""
        return str(self._call("GET", "overview").get("rabbitmq_version", ""))

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """List the cluster's nodes; what stands in its `net_ticktime` and `partitions` comes some seconds late."""
        return self._call("GET", "nodes") or ()

    def queues(self) -> Sequence[Mapping[str, Any]]:
        """List the virtual host's queues, those with copies with the nodes that have one as `members`."""
        return self._call("GET", f"queues/{self._vhost}") or ()

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, gone_is_fine: bool = False
    ) -> Any:
        try:
            answer = self._session.request(
                method, f"{self._base}/{path}", json=body, timeout=self._patience, allow_redirects=False
            )
            if answer.status_code // 100 == 2:  # noqa: PLR2004 - success
                return answer.json() if answer.content else None
            if answer.status_code == NOT_FOUND and gone_is_fine:
                return None
        except requests.JSONDecodeError as error:
            raise ManagementError(f"{self._base} is no management API of RabbitMQ: it answered no JSON") from error
        except requests.RequestException as error:
            # The error's own text has the whole URL and Python's objects in it.
            raise BrokerUnavailableError(
                f"can't reach the management API at {self._base} ({why_within(error) or 'no reason given'})"
            ) from error
        raise ManagementError(f"the management API at {self._base} {_why(answer, method, path)}")


def as_asked(rights: Rights) -> dict[str, str]:
    """Put rights as RabbitMQ takes them: three regular expressions."""
    return {"configure": regex(rights.configure), "write": regex(rights.write), "read": regex(rights.read)}


def _found(entry: Mapping[str, Any]) -> FoundUser:
    tags = entry["tags"]
    tags = tags.split(",") if isinstance(tags, str) else tags  # a string before 3.9
    hashing = entry.get("hashing_algorithm", "")
    return FoundUser(entry["name"], frozenset(tag for tag in tags if tag), entry.get("password_hash", ""), hashing)


def _why(answer: requests.Response, method: str, path: str) -> str:
    match answer.status_code:
        case 401:
            return (
                "does not let MANAGEMENT_URL's account in: its name or password is wrong, or it is no administrator's "
                "(to count, a monitoring one will do)"
            )
        case 404:
            return f"does not know {path}: is the virtual host of AMQP_URL there?"
    try:
        reason = str(answer.json().get("reason", ""))
    except (ValueError, AttributeError):
        reason = answer.reason
    return f"refused {method} {path}: {answer.status_code} {reason}".rstrip()


def _part(name: str) -> str:
    return quote(name, safe="")
