"""The broker that all is moved to: its address as typed, and that it is there, is another one, and has our queues."""

from collections.abc import Iterable

from pydantic import SecretStr, TypeAdapter, ValidationError

from broker_setup.errors import ArgumentError, BrokerUnavailableError
from broker_setup.link.blocking import count_ready
from broker_setup.link.broker_url import address_of, each_of, trusting, vhost_of
from broker_setup.settings import Settings
from broker_setup.settings.value_types import AmqpUrl

_URL: TypeAdapter[SecretStr] = TypeAdapter(AmqpUrl)


def other_broker(settings: Settings, to: str) -> str:
    """Return the address with the authorities to trust; raise ArgumentError for none, and for that of AMQP_URL."""
    try:
        _URL.validate_python(SecretStr(to))
    except ValidationError:
        raise ArgumentError(
            "--to, or MIGRATE_TO, is no address of a broker: give amqp://user:password@broker.example:5672/"
        ) from None
    if _nodes(to) & _nodes(settings.amqp_url.get_secret_value()):
        raise ArgumentError(f"--to is the broker of AMQP_URL, {address_of(to)}: name the one to move to")
    return trusting(to, settings.broker_ca_bundle) if settings.broker_ca_bundle else to


def ask_for_queues(to: str, names: Iterable[str]) -> None:
    """Raise BrokerUnavailableError if that broker can't be reached, or lacks a queue."""
    try:
        count_ready(to, names)
    except BrokerUnavailableError as error:
        # What helps is worded for the broker that all other commands are about.
        said = str(error).replace("AMQP_URL", "it").replace("`xqueue-broker declare`", "`declare` with it as AMQP_URL")
        raise BrokerUnavailableError(f"the broker of --to: {said}") from error


def _nodes(url: str) -> set[tuple[str, str]]:
    return {(address_of(uri), vhost_of(uri)) for uri in each_of(url)}
