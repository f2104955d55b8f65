"""A name that leads to one of our own services is known by its address."""

import psutil
import pytest

from broker_setup.outbound.own_addresses import OwnAddresses, is_here
from broker_setup.settings import Settings

LOOPBACK, LAN, ANOTHER = "127.0.0.1", "192.0.2.7", "192.0.2.8"


async def nobody(_: str) -> list[str]:
    raise OSError("nobody knows it")


@pytest.mark.parametrize("form", ["::10.0.0.5", "64:ff9b::10.0.0.5", "::ffff:0:10.0.0.5", "2002:a00:5::1"])
def test_an_address_that_carries_a_services_own_is_refused_like_it(form: str) -> None:
    own = OwnAddresses(Settings(amqp_url="amqp://10.0.0.5/").own_services)
    assert own.refusal(form, 15672) == f"the host is at {form} port 15672, where the broker is"
    assert own.refusal(form, 8000) is None


@pytest.mark.parametrize("broker", ["localhost", LOOPBACK, LAN])
@pytest.mark.parametrize("asked", [LOOPBACK, "127.0.0.2", "::1", LAN, f"::ffff:{LAN}", ANOTHER])
async def test_a_service_on_this_machine_is_refused_at_every_address_of_the_machine(broker: str, asked: str) -> None:
    settings = Settings(amqp_url=f"amqp://{broker}/", metrics_host="0.0.0.0", metrics_port=9100)
    own = OwnAddresses(settings.own_services, {LAN, ANOTHER}.__contains__)
    await own.look_up(nobody)
    assert own.refusal(asked, 15672) == f"the host is at {asked} port 15672, where the broker is"
    assert own.refusal(asked, 9100) == f"the host is at {asked} port 9100, where the relay's metrics is"
    assert own.refusal(asked, 8000) is None
    assert own.refusal("192.0.2.9", 15672) is None


async def test_a_service_whose_name_leads_to_this_machine_is_refused_at_its_other_addresses() -> None:
    async def addresses_of(_: str) -> list[str]:
        return [LAN]

    own = OwnAddresses(Settings(amqp_url="amqp://rabbit.example/").own_services, {LAN, ANOTHER}.__contains__)
    await own.look_up(addresses_of)
    for asked in (LAN, ANOTHER, LOOPBACK):
        assert own.refusal(asked, 5672)
    assert own.refusal("192.0.2.9", 5672) is None


def test_this_machines_addresses_are_known_without_a_word_on_the_wire() -> None:
    assert is_here(LOOPBACK)
    assert not is_here("192.0.2.200")
    assert not is_here("no address")
    addresses = [each.address for of_one in psutil.net_if_addrs().values() for each in of_one]
    mine = [address for address in addresses if address.count(".") == 3]
    assert mine
    assert [address for address in mine if not is_here(address)] == []


async def test_the_addresses_of_our_services_are_refused_at_their_ports_alone() -> None:
    known = {"rabbit.example": ["10.0.0.5", "fd00::5"]}

    async def addresses_of(name: str) -> list[str]:
        if name not in known:
            raise OSError("nobody knows it")
        return known[name]

    own = OwnAddresses(Settings(amqp_url="amqp://rabbit.example/").own_services)
    assert own.refusal("10.0.0.5", 15672) is None
    await own.look_up(addresses_of)
    for address in ("10.0.0.5", "::ffff:10.0.0.5", "fd00:0::5"):
        assert own.refusal(address, 15672) == f"the host is at {address} port 15672, where the broker is"
    assert own.refusal("10.0.0.5", 8000) is None
    assert own.refusal("10.0.0.6", 5672) is None
    known.clear()
    await own.look_up(addresses_of)
    assert own.refusal("10.0.0.5", 5672)  # what was found counts until something else is found
