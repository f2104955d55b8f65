"""The example that stands in for an LMS takes a callback and shows it."""

import socket
import sys
from http.server import HTTPServer
from subprocess import PIPE, Popen, run
from threading import Thread
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from examples.callback_listener import Listener
from tests.support.project import ROOT


def test_a_result_is_answered_with_200_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    header, reply = '{"lms_key": "k"}', '{"msg": "<p>Good & well</p>"}'
    form = urlencode({"xqueue_header": header, "xqueue_body": reply}).encode()
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        taking = Thread(target=server.handle_request)
        taking.start()
        with urlopen(f"http://127.0.0.1:{server.server_port}/score_update", form, timeout=60) as answer:
            assert answer.status == 200
        taking.join(60)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == (f"/score_update {header} {reply}\n", "")


def test_it_says_where_it_listens_and_a_port_that_is_taken_is_a_sentence() -> None:
    program = [sys.executable, str(ROOT / "examples/callback_listener.py")]
    with Popen([*program, "0"], stdout=PIPE, text=True) as listener:
        assert listener.stdout
        assert "listening at http://127.0.0.1:" in listener.stdout.readline()
        listener.kill()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run([*program, str(port)], capture_output=True, text=True, check=False, timeout=60)
    said = f"callback_listener: can't listen on port {port}: Address already in use; name another, as in 9001\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", said)
