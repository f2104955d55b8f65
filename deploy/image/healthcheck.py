"""Asks the gateway, or the relay, of this container whether it is alive; exit code 0 means that it is.

The image has no curl, and needs none for this.
"""

import http.client
import os
import sys

TIMEOUT_SECONDS = 3.0


def main() -> int:
    """GET /healthz on the port that the process was told to use; 0 for 200, else 1 and a line on stderr.

    The image sets the gateway's port for every process; the relay's is only set where there is a relay.
    """
    connection = http.client.HTTPConnection(
        "127.0.0.1",
        int(os.environ.get("XQUEUE_METRICS_PORT") or os.environ.get("XQUEUE_PORT", "18040")),
        timeout=TIMEOUT_SECONDS,
    )
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


if __name__ == "__main__":
    sys.exit(main())
