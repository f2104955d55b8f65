"""Starts a worker, as its parent calls it: `python -m gateway.workers LINE NUMBER COUNT SOCKET...`, all numbers."""

import asyncio
import socket
import sys
from contextlib import suppress

from gateway.serving import START_FAILED, all_warnings, gateway_settings, server_of
from gateway.workers.shares import share_of
from gateway.workers.worker import work


def main() -> None:
    """Run worker NUMBER of COUNT on sockets that listen; LINE is the socket that leads to its parent."""
    line, number, count, *listeners = map(int, sys.argv[1:])
    sockets = [_taken_over(listener) for listener in listeners]
    settings, warnings = gateway_settings()
    # What an operator should know is said once, by the first.
    said = all_warnings(settings, warnings) if number == 1 else []
    server = server_of(share_of(settings, count), said, is_worker=True)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(work(server, sockets, _taken_over(line)))
    sys.exit(0 if server.started else START_FAILED)


def _taken_over(number: int) -> socket.socket:
    """Return the socket with this number, which no process that we start inherits."""
    taken = socket.socket(fileno=number)
    taken.set_inheritable(False)
    return taken


if __name__ == "__main__":
    main()
