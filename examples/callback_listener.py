"""An LMS to try things out with, on port 9000 of this machine: it shows each result that it gets, and answers 200."""

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


if __name__ == "__main__":
    try:
        HTTPServer(("127.0.0.1", 9000), Listener).serve_forever()
    except KeyboardInterrupt:
        print("stopped")
