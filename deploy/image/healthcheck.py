"""Asks the process of this container whether it is alive; exit code 0 means that it is.

The image has no curl, and needs none for this.
"""

import http.client
import os
import sys
from pathlib import Path

TIMEOUT_SECONDS = 3.0
# The container's own process, and with an init before it, that one, which names it too.
COMMAND = Path("/proc/1/cmdline")
# Where each listens; the image has a port for each.
PORTS = {
    "xqueue-gateway": "XQUEUE_PORT",
    "xqueue-relay": "XQUEUE_METRICS_PORT",
    "xqueue-passive": "XQUEUE_PASSIVE_METRICS_PORT",
    "xqueue-upstream": "XQUEUE_UPSTREAM_METRICS_PORT",
    "xqueue-console": "XQUEUE_CONSOLE_PORT",
}


def main() -> int:
    """GET /healthz on the port that the process was told to use; 0 for 200, else 1 and a line on stderr.

    0 also where nothing listens that could be asked: a command of xqueue-broker, a port that was taken away.
    """
    port = os.environ.get(PORTS.get(_program(), ""), "")
    if not port.isdecimal():
        print("nothing listens here that could be asked")
        return 0
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"/healthz: {error!r}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if status != http.client.OK:
        print(f"/healthz: {status}", file=sys.stderr)
        return 1
    return 0


def _program() -> str:
    words = COMMAND.read_bytes().decode(errors="replace").split("\0")
    return next((name for name in (word.rpartition("/")[2] for word in words) if name in PORTS), "")


if __name__ == "__main__":
    sys.exit(main())
