"""A page in an LMS's place: named once, counted, and held where the setting says so."""

import logging

import pytest

from broker_setup.settings import Settings
from tests.support.broker import VHost
from tests.support.lms import Answer, FakeLMS
from tests.support.relay import Results, running_relay, settings_for

PAGE = Answer(200, headers={"Content-Type": "text/html"}, body=b"<!DOCTYPE html><title>Be right back</title>")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "a page for people, where" in record.getMessage()]


async def test_pages_are_named_once_and_count_as_delivered(
    settings: Settings, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    lms.always(PAGE)
    async with running_relay(settings):
        for key in "abc":
            await results.put(lms.header(key))
        await lms.wait_accepted(3)
    [warning] = warnings(caplog)
    assert warning.startswith(f"{lms.origin} answers callbacks 200 with a page")
    assert "CALLBACK_HOLD_PAGES" in warning
    assert await results.waiting() == 0


async def test_a_result_that_a_page_answered_is_held_where_the_setting_says_so(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(PAGE, PAGE, 200)
    async with running_relay(settings_for(vhost.amqp_url, callback_hold_pages=True)):
        await results.put(lms.header())
        await lms.wait_received(3)
    assert len(lms.received) == 3
