"""What a process is called in the ledger and in the management UI: its service, its machine, its number there."""

import os
import socket


def process_name(service: str, port: int | None = None) -> str:
    """Name this process; `port` is where it listens, if it does."""
    host = socket.gethostname()
    return f"{service} {host if port is None else f'{host}:{port}'} {os.getpid()}"
