"""The sockets of callbacks: the system receives little on them before anybody has looked at it."""

import socket

from broker_setup.outbound.guarded_connections import RECEIVED_BYTES, GuardedNames
from broker_setup.outbound.own_addresses import OwnAddresses
from broker_setup.settings import Settings


async def test_no_more_is_received_than_can_be_decrypted_at_once() -> None:
    names = GuardedNames(OwnAddresses(Settings().own_services))
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 443))
    with names.socket(address) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * RECEIVED_BYTES
    await names.close()
