"""A name that leads to one of our own services is known by its address."""

from broker_setup.own_services import own_services
from broker_setup.settings import Settings
from callback_relay.own_addresses import OwnAddresses


async def test_the_addresses_of_our_services_are_refused_at_their_ports_alone() -> None:
    known = {"rabbit.example": ["10.0.0.5", "fd00::5"]}

    async def addresses_of(name: str) -> list[str]:
        if name not in known:
            raise OSError("nobody knows it")
        return known[name]

    own = OwnAddresses(own_services(Settings(amqp_url="amqp://rabbit.example/")))
    assert own.refusal("10.0.0.5", 15672) is None
    await own.look_up(addresses_of)
    for address in ("10.0.0.5", "::ffff:10.0.0.5", "fd00:0::5"):
        assert own.refusal(address, 15672) == f"the host is at {address} port 15672, where the broker is"
    assert own.refusal("10.0.0.5", 8000) is None
    assert own.refusal("10.0.0.6", 5672) is None
    known.clear()
    await own.look_up(addresses_of)
    assert own.refusal("10.0.0.5", 5672)  # what was found counts until something else is found
