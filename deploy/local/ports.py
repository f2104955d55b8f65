"""Free loopback ports, remembered from one start to the next."""

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral ports (from 32768), so that no outgoing connection sits on ours when we come back for it, and
# clear of RabbitMQ's own 5672, 15672, 25672 and of its command line's 35672.
FIRST, LAST = 20000, 32000
NEVER = frozenset({25672})


def is_free(port: int) -> bool:
    """Tell whether something could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port with connections in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def pick(taken: Iterable[int] = ()) -> int:
    """Return a free port that is not among the taken ones."""
    unusable = NEVER.union(taken)
    for _ in range(1000):
        port = random.randint(FIRST, LAST)
        if port not in unusable and is_free(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def remembered(file: Path, names: Iterable[str]) -> dict[str, int]:
    """Return a free port for each name: the one in the file where it still is free, else a new one, written back."""
    try:
        saved = json.loads(file.read_text())
    except (OSError, ValueError):
        saved = {}
    chosen: dict[str, int] = {}
    for name in names:
        port = saved.get(name) if isinstance(saved, dict) else None
        if not isinstance(port, int) or port in chosen.values() or not is_free(port):
            port = pick(chosen.values())
        chosen[name] = port
    file.write_text(json.dumps(chosen))
    return chosen
