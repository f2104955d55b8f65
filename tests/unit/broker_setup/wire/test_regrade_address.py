"""A copy's return address names no LMS, whatever is in it, and nobody who submits can write one."""

import json

import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, text

from broker_setup.wire.regrade_address import RegradeAddress, regrade_address, regrade_text
from broker_setup.wire.results import Result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.seals import Form
from callback_relay.callback import BadCallbackError, callback_for
from callback_relay.ways import callback_by_its_way
from gateway.http.lms_calls import parse_submit
from gateway.http.refusals import IllFormedError

SECRET = "a secret of the tests, long enough for a key"
UUID = "0123456789abcdef0123456789abcdef"
URL = "http://lms/score_update"


@given(text(), text(), text())
def test_no_callback_can_be_made_of_one_whatever_stands_in_it(run: str, of: str, queue: str) -> None:
    """Not by a flag: the sealed text has no URL in it, so a relay of any version has nothing to post to."""
    try:
        address = ReturnAddress(UUID, regrade_text(RegradeAddress(run, of, queue)))
    except UnicodeEncodeError:  # half a character: none of ours has one
        return
    assert address.regrade == RegradeAddress(run, of, queue)
    assert (address.callback_url, address.queue) == ("", queue)
    for way in (callback_for, lambda result, there: callback_by_its_way(result, there, {})):
        with pytest.raises(BadCallbackError):
            way(Result(UUID, b"{}", "sealed"), address)


@given(dictionaries(text(), text()))
def test_what_submit_takes_is_never_one(more: dict[str, str]) -> None:
    header = json.dumps(more | {"lms_callback_url": URL, "lms_key": "k", "queue_name": "q"})
    assert regrade_address(parse_submit({"xqueue_header": header, "xqueue_body": ""}).lms_header) is None


@pytest.mark.parametrize(
    "written", [regrade_text(RegradeAddress("run", UUID, "openedx")), '["regrade", "r", "o", "q"]']
)
def test_one_that_is_submitted_is_refused(written: str) -> None:
    with pytest.raises(IllFormedError):
        parse_submit({"xqueue_header": written, "xqueue_body": ""})


@pytest.mark.parametrize(
    "wrong", ["", "[", "[]", '["regrade"]', '["upstream", "a", "b", "c", "d", "e"]', "[1, 2, 3, 4]"]
)
def test_anything_else_is_none(wrong: str) -> None:
    assert regrade_address(wrong) is None


@pytest.mark.parametrize("form", list(Form))
def test_it_comes_through_a_seal_as_it_was(form: Form) -> None:
    address = RegradeAddress("run", UUID, "openedx")
    sealer = Sealer([SECRET], form)
    sealed = sealer.seal(ReturnAddress(address.copy_uuid, regrade_text(address)))
    assert sealer.open(sealed, address.copy_uuid).regrade == address


def test_a_copy_has_the_same_uuid_in_each_try_of_its_run_and_no_others() -> None:
    one = RegradeAddress("run", UUID, "openedx")
    assert one.copy_uuid == RegradeAddress("run", UUID, "openedx").copy_uuid
    assert len({one.copy_uuid, RegradeAddress("other", UUID, "openedx").copy_uuid, UUID}) == 3
