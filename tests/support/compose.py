"""The compose file as data, with each variable as an .env would have it."""

import re
from typing import Any

import yaml

from tests.support.project import ROOT, text

FOLDER = ROOT / "deploy/compose"
COMPOSE: dict[str, Any] = yaml.safe_load(text("deploy/compose/compose.yaml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("xqueue-rabbitmq:")}
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", text("deploy/compose/xqueue.env.example"), re.MULTILINE))
PASSWORDS = {
    "xqueue": "BROKER_PASSWORD",
    "xqueue-gateway": "GATEWAY_PASSWORD",
    "xqueue-relay": "RELAY_PASSWORD",
    "xqueue-passive": "PASSIVE_PASSWORD",
    "xqueue-broker": "COMMANDS_PASSWORD",
    "xqueue-operator": "OPERATOR_PASSWORD",
}
LOGINS = {
    "setup": "xqueue",
    "gateway": "xqueue-gateway",
    "relay": "xqueue-relay",
    "passive": "xqueue-passive",
    "upstream": "xqueue-gateway",
    "commands": "xqueue-broker",
    "console": "xqueue-broker",
}
FILLED = (
    EXAMPLE
    | {"XQUEUE_SECRET_KEY": "Zk3vW9qRt7LmXc2PbNhY8dGs", "XQUEUE_USERS": '{"lms": "p"}'}
    | {"XQUEUE_CONSOLE_ACCOUNTS": '{"operator": "q"}', "GRAFANA_PASSWORD": "of-grafana"}
    | {variable: f"of-{user}" for user, variable in PASSWORDS.items()}
)
MIB = 1024 * 1024
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def filled(value: str) -> str:
    return VARIABLE.sub(lambda match: FILLED.get(match[1]) or match[2] or "", value)


def variables(service: dict[str, Any]) -> dict[str, str]:
    return {name: filled(str(value)) for name, value in service["environment"].items()}


def bytes_of(size: str) -> int:
    return int(size[:-1]) * {"m": MIB, "g": 1024 * MIB}[size[-1]]
