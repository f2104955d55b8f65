"""What a browser that comes upon an answer makes of it: text, whatever a student wrote."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pytest
from starlette.responses import StreamingResponse

from broker_setup.process.beside import LARGE_BYTES
from broker_setup.wire.submissions import Submission
from gateway.http import bulk_calls, grader_calls
from gateway.http import envelope as envelope_module
from gateway.http.envelope import quoted, refusal, success, success_of
from gateway.http.grader_calls import strings_of
from gateway.leasing.handing_out import Handout

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
    assert "".join(quoted([text])) == json.dumps(text)
    assert json.loads(bytes(success(text).body)) == {"return_code": 0, "content": text}
    assert b"<" not in success(text).body


@pytest.mark.parametrize("cut", [1, 3, 16_384])
async def test_an_answer_in_pieces_is_byte_for_byte_the_one_that_is_written_at_once(
    monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr(envelope_module, "_PIECE", cut)
    monkeypatch.setattr(envelope_module, "_SENT_BYTES", 2 * cut)
    text = 'é🐍\ud800"\\\x00\x7f</script>&' * 3
    handouts = [
        Handout(
            Submission(str(number) * 32, "openedx", text, "sealed", {"a<b": "http://lms/?a&b"}), f"key{number}", 1.5
        )
        for number in range(3)
    ]
    strings = [strings_of(handout) for handout in handouts]
    one, several = await sent(grader_calls.written, handouts[:1]), await sent(bulk_calls.written, handouts)
    assert one == bytes(success(json.dumps(strings[0])).body)
    assert several == bytes(success([{**each, "expires_at": 1.5} for each in strings]).body)
    assert await sent(bulk_calls.written, []) == bytes(success([]).body)


async def sent(write: Callable[[Sequence[Handout]], Iterable[str]], handouts: Sequence[Handout]) -> bytes:
    """Return what a client gets: the same, whether it is large and goes out in pieces or small and does not."""
    large, small = [await success_of(size, partial(write, handouts)) for size in (LARGE_BYTES + 1, 0)]
    assert isinstance(large, StreamingResponse)
    body = b"".join([bytes(piece) async for piece in large.body_iterator if not isinstance(piece, str)])
    assert (large.raw_headers, body) == (small.raw_headers, small.body)
    return body
