"""The types of the settings that say who may come in: accounts, tokens, trusted proxies, lists for queues."""

import json
from enum import Enum, StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from broker_setup.settings.secret_files import account_secrets
from broker_setup.settings.value_types import QueueName


def _password(password: SecretStr) -> SecretStr:
    word = password.get_secret_value()
    if not word:
        raise ValueError("must not be empty")
    if word.startswith("$argon2"):
        try:
            extract_parameters(word)
        except InvalidHashError:
            raise ValueError("is no whole argon2 hash; are its dollar signs quoted?") from None
    return password


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/8") from None


def _json_object(value: object) -> object:
    # The LMS has it in its own settings as JSON in a string.
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a JWK set as JSON") from None


Name = Annotated[str, Field(min_length=1)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network, json_schema_input_type=str)]
Password = Annotated[SecretStr, AfterValidator(_password)]
_Accounts = dict[str, SecretStr | dict[Literal["file"], str]]
Users = Annotated[dict[str, Password], BeforeValidator(account_secrets, json_schema_input_type=_Accounts)]
Jwks = Annotated[dict[str, Any], BeforeValidator(_json_object, json_schema_input_type=str | dict[str, Any])]


class Dialect(Enum):
    """How callers are answered."""

    LEGACY = "legacy"  # as the original does: HTTP 200 and text/html for nearly everything
    EDX_SUBMISSIONS = "edx-submissions"  # the LMS's own queue: HTTP statuses and application/json


class QueueAccess(BaseModel):
    """Who may hand work in to a queue, and who may take it out; None is everybody who may come in at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    producers: tuple[Name, ...] | None = None
    consumers: tuple[Name, ...] | None = None


class ConsoleRole(StrEnum):
    """What a person may do in the console."""

    VIEWER = "viewer"  # looks
    OPERATOR = "operator"  # redrives, discards, pauses, too


class ConsoleRights(BaseModel):
    """What one of the console's accounts may do, and with which queues; None is all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: ConsoleRole = ConsoleRole.VIEWER
    queues: tuple[QueueName, ...] | None = None
