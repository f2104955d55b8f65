"""What an export says of the broker itself, for people: queues, exchanges, bindings, policies, users; no password."""

import json
from typing import Any

from broker_setup.operator.management_api import Management, management_api
from broker_setup.settings import Settings
from broker_setup.topology import Topology

DEFINITIONS = "definitions.json"


def definitions(settings: Settings) -> bytes:
    """Make the file; policies and users stand in it where MANAGEMENT_URL is set.

    Raise ManagementError or BrokerUnavailableError where that is set and does not answer.
    """
    found = from_topology(settings.topology)
    if management := management_api(settings):
        with management as api:
            found |= _from_management(api)
    return json.dumps(found, indent=2).encode() + b"\n"


def from_topology(topology: Topology) -> dict[str, Any]:
    """Put a topology as RabbitMQ's own definitions put it."""
    return {
        "exchanges": [{"name": each.name, "type": each.kind, "durable": True} for each in topology.exchanges],
        "queues": [{"name": each.name, "durable": True, "arguments": dict(each.arguments)} for each in topology.queues],
        "bindings": [
            {"source": each.exchange, "destination": each.queue, "routing_key": each.routing_key}
            for each in topology.bindings
        ],
    }


def _from_management(api: Management) -> dict[str, Any]:
    rights, users = api.rights(), api.users()
    return {
        "policies": list(api.policies().values()),
        "users": [{"name": name, "tags": sorted(users[name].tags)} for name in sorted(rights) if name in users],
        "permissions": [{"user": name, **rights[name]} for name in sorted(rights)],
        "rabbitmq_version": api.version(),
    }
