"""A process's name says which one it is, among several of a service and on several machines."""

import os
import re
import socket

from broker_setup.process.process_name import process_name


def test_two_gateways_on_the_same_port_of_two_machines_and_two_lives_of_one_have_different_names() -> None:
    assert process_name("xqueue-gateway", 18040) == f"xqueue-gateway {socket.gethostname()}:18040 {os.getpid()}"
    assert re.fullmatch(r"xqueue-relay \S+ \d+", process_name("xqueue-relay"))
