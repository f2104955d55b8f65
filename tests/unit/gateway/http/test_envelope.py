"""What a browser that comes upon an answer makes of it: text, whatever a student wrote."""

import json

import pytest

from gateway.http import envelope as envelope_module
from gateway.http.envelope import json_string, refusal, success

WORK = "<script>alert('&amp;')</script> <!-- \u2028 é"


@pytest.mark.parametrize("content", [WORK, {"xqueue_body": WORK}, [WORK], 7, ""])
def test_markup_is_spelled_otherwise_and_means_the_same(content: object) -> None:
    body = bytes(success(content).body)
    assert json.loads(body) == {"return_code": 0, "content": content}
    assert not set(b"<>&") & set(body)


def test_no_browser_runs_frames_guesses_or_keeps_an_answer() -> None:
    for answer in (success(WORK), refusal(WORK)):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_text_is_written_as_json_does_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope_module, "_PIECE", 3)
    text = 'é🐍\ud800"\\\x00</script>&' * 3
    assert json_string(text) == json.dumps(text)
    assert json.loads(bytes(success(text).body)) == {"return_code": 0, "content": text}
    assert b"<" not in success(text).body
