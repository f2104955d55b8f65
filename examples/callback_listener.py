"""An LMS to try things out with, on port 9000 of this machine: it shows each result that it gets, and answers 200.

Another port: python callback_listener.py 9001
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs


class Listener(BaseHTTPRequestHandler):
    """Takes callbacks."""

    def do_POST(self) -> None:
        """Take a result."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        print(self.path, *form["xqueue_header"], *form["xqueue_body"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Show the results alone."""


def listen(port: int) -> None:
    """Take callbacks until Ctrl-C."""
    try:
        with HTTPServer(("127.0.0.1", port), Listener) as server:
            print(f"listening at http://127.0.0.1:{server.server_port}; Ctrl-C stops it", flush=True)
            server.serve_forever()
    except OSError as error:
        sys.exit(f"callback_listener: can't listen on port {port}: {error.strerror}; name another, as in 9001")
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    listen(int(sys.argv[1]) if len(sys.argv) > 1 else 9000)
