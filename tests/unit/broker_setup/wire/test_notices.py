"""What a student reads when nobody could grade the submission: the LMS takes it, whatever the operator's words."""

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.settings import Settings
from broker_setup.wire.notices import failure_notice, notice_of, telling_after
from broker_setup.wire.replies import FINE, check_reply
from broker_setup.wire.results import Result


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"), min_size=1))
def test_a_notice_shows_the_words_as_they_were_written(words: str) -> None:
    read = json.loads(failure_notice(words))
    assert (set(read), read["correct"], read["score"]) == ({"correct", "score", "msg"}, None, 0)
    div = ET.fromstring(read["msg"])
    assert (div.tag, div.attrib, div.text, len(div)) == ("div", {"class": "capa_alert"}, words, 0)


@given(st.text(st.characters(exclude_categories=[])) | st.sampled_from(["", "\0", "\x1b", "\ud800", "&#27;", "]]>"]))
def test_a_notice_is_what_the_lms_takes_and_xml_whatever_the_words(words: str) -> None:
    notice = failure_notice(words)
    ET.fromstring(json.loads(notice)["msg"])
    for call in ("score_update", "ungraded_response"):
        assert check_reply(f"https://lms.example/{call}", notice) == FINE


def test_what_xml_can_not_have_is_replaced_and_the_rest_stays() -> None:
    msg = json.loads(failure_notice("a\x1b[0m\ud800\tb\n<\ufffe>"))["msg"]
    assert ET.fromstring(msg).text == "a\ufffd[0m\ufffd\tb\n<\ufffd>"


def test_a_notice_goes_where_the_result_would_have_gone() -> None:
    notice = notice_of(32 * "0", "sealed", "Sorry.")
    assert notice == Result(
        32 * "0", failure_notice("Sorry."), "sealed", recorded=True, notice=True, graded_at=notice.graded_at
    )


def test_a_notice_waits_for_its_grace_in_the_queue_of_that_grace_and_counts_its_age_from_then_on() -> None:
    telling = telling_after(24 * 3600.0, 1_000.0)
    assert telling.route == ("xqueue.parked", "xqueue.notices.24h")
    notice = notice_of(32 * "0", "sealed", "Sorry.", redriven=2, at=telling.at)
    assert (notice.graded_at.timestamp(), notice.redriven) == (87_400.0, 2)


def test_without_a_grace_a_notice_goes_at_once() -> None:
    assert telling_after(0.0, 1_000.0).route == ("xqueue.checked", "xqueue.results.checked")


@pytest.mark.parametrize("message", [Settings().failure_message, Settings().retired_message])
def test_the_defaults_tell_the_student_what_to_do(message: str) -> None:
    assert "Please submit it again." in message
    assert message in failure_notice(message).decode()
