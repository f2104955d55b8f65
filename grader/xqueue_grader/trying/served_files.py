"""Serves files that came with a submission on loopback, as a server of submissions does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from xqueue_grader.trying.submission_file import SubmissionFileError

LOOPBACK = "127.0.0.1"


@contextmanager
def serving_files(files: Mapping[str, str], beside: Path) -> Iterator[dict[str, str]]:
    """Give each file a URL while the block runs: those with a path, from the folder `beside`, one of this machine."""
    contents = [_content(name, where, beside) for name, where in files.items() if not urlsplit(where).netloc]
    if not contents:
        yield dict(files)
        return
    server = _FileServer(contents)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    numbers = iter(range(len(contents)))
    base = f"http://{LOOPBACK}:{server.server_port}"
    try:
        yield {name: where if urlsplit(where).netloc else f"{base}/{next(numbers)}" for name, where in files.items()}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _content(name: str, where: str, beside: Path) -> bytes:
    try:
        return (beside / where).read_bytes()
    except OSError as error:
        raise SubmissionFileError(f"the file {name!r} can't be read at {beside / where}: {error.strerror}") from None


class _FileServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, contents: list[bytes]) -> None:
        self.contents = contents
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _FileServer

    def do_GET(self) -> None:
        """Answer with one of the files, by its number."""
        number = self.path.removeprefix("/")
        known = number.isascii() and number.isdigit() and int(number[:6]) < len(self.server.contents)
        body = self.server.contents[int(number)] if known else b""
        self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""
