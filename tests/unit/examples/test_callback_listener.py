"""The example that stands in for an LMS takes a callback and shows it."""

from http.server import HTTPServer
from threading import Thread
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from examples.callback_listener import Listener


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
