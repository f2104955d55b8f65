"""Starts a worker as its parent does: `python -m gateway.workers LINE REPORTS NUMBER COUNT SOCKET...`, all numbers."""

import asyncio
import socket
import sys
from contextlib import suppress
from functools import partial

from gateway.figures.gateway_figures import Figures
from gateway.figures.process_families import process_families
from gateway.serving import START_FAILED, all_warnings, figures_of, gateway_settings, server_of
from gateway.workers.shares import share_of
from gateway.workers.tally import encode_report
from gateway.workers.worker import work


def main() -> None:
    """Run worker NUMBER of COUNT on sockets that listen; the sockets LINE and REPORTS lead to its parent."""
    line, reports, number, count, *listeners = map(int, sys.argv[1:])
    sockets = [_taken_over(listener) for listener in listeners]
    to_parent = _taken_over(reports)
    settings, warnings = gateway_settings()
    # What an operator should know is said once, by the first.
    said = all_warnings(settings, warnings) if number == 1 else []
    server = server_of(share_of(settings, count), said, is_worker=True)
    report = partial(_report, to_parent, figures_of(server)) if settings.gateway_metrics_port is not None else _nothing
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(work(server, sockets, _taken_over(line), report))
    sys.exit(0 if server.started else START_FAILED)


def _report(to_parent: socket.socket, figures: Figures) -> None:
    """Tell the parent what this worker has counted, unless it has no time to read: the next report has it, too."""
    with suppress(OSError):
        to_parent.send(encode_report([*figures.families(), *process_families()]), socket.MSG_DONTWAIT)


def _nothing() -> None:
    """Do nothing: nobody is shown anything."""


def _taken_over(number: int) -> socket.socket:
    """Return the socket with this number, which no process that we start inherits."""
    taken = socket.socket(fileno=number)
    taken.set_inheritable(False)
    return taken


if __name__ == "__main__":
    main()
