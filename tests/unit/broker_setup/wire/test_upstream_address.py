"""The return address of what was taken out of an upstream, which nobody who submits can write."""

import pytest

from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.upstream_address import UpstreamAddress, address_text, upstream_address
from gateway.http.forms import TooLargeError
from gateway.http.lms_calls import parse_submit
from gateway.http.refusals import IllFormedError

ADDRESS = UpstreamAddress("lms", "there", "openedx", "https://lms.example/xqueue/put_result/#7", '{"submission_id": 7}')


def test_it_is_read_as_it_was_written_and_shows_a_queue_and_a_url_as_any_other() -> None:
    sealer = Sealer(["a secret of the tests, long enough for a key"])
    opened = sealer.open(sealer.seal(ReturnAddress("a" * 32, address_text(ADDRESS))), "a" * 32)
    assert opened.upstream == ADDRESS
    assert (opened.queue, opened.callback_url) == (ADDRESS.queue, ADDRESS.url)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "[", '["other","a","b","c","d","e"]', '["upstream","a"]', '["upstream",1,2,3,4,5]', "[\ud800"],
)
def test_anything_else_is_none(text: str) -> None:
    assert upstream_address(text) is None
    assert ReturnAddress("a" * 32, text).upstream is None


@pytest.mark.parametrize("text", [address_text(ADDRESS), " " + address_text(ADDRESS), f"\n{address_text(ADDRESS)}"])
def test_whoever_submits_it_as_his_header_is_refused(text: str) -> None:
    with pytest.raises((IllFormedError, TooLargeError)):
        parse_submit({"xqueue_header": text, "xqueue_body": "work"})
