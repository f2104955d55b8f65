"""The page of the LMSs: one line for each, whoever tells of it."""

from time import time

import pytest

from broker_setup.ledger.events import Delivered, Submitted
from broker_setup.operator.results.waiting_results import WaitingResult
from broker_setup.outbound.callback_urls import callback_url, origin_of
from broker_setup.wire.waits import Wait
from gateway.console.known.rungs import Rungs
from gateway.console.pages.lms_page import lms_of
from tests.support.console import Desk, text_of
from tests.support.ledger_events import uuid_of


@pytest.mark.parametrize("host", ["https://LMS.example", "http://lms.example:80", "http://[::1]:8000", "http://l:8000"])
def test_an_lms_is_called_as_the_relay_calls_it(host: str) -> None:
    assert lms_of(f"{host}/xqueue/1") == origin_of(callback_url(f"{host}/"))


@pytest.mark.parametrize("url", ["", "ftp://lms.example/", "https://", "no url", "https://[::1/"])
def test_what_names_no_lms_has_none(url: str) -> None:
    assert lms_of(url) == ""


async def test_an_lms_behind_https_has_one_line_with_the_relays_word(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    uuid, url = uuid_of(1), "https://lms.example/xqueue/1/score_update"
    desk.tell(Submitted(time(), uuid, "openedx", sealed_url=desk.seals.seal(url, uuid)), Delivered(time(), uuid, 1))
    waiting = WaitingResult(uuid_of(2).hex(), "5s", Wait("https://lms.example", "openedx", "refused", None), 1, None)
    known = desk.console._known

    async def seen() -> Rungs:
        return Rungs({waiting.uuid: waiting}, {waiting.uuid: waiting})

    async def health() -> dict[str, str]:
        return {"https://lms.example": "ok"}

    monkeypatch.setattr(known.rungs, "seen", seen)
    monkeypatch.setattr(known.relay, "health", health)
    async with desk.logged_in("ada") as ada:
        text = text_of(await ada.get("/lms"))
    assert text.count("lms.example") == 1
    assert "takes results" in text
    assert "refused" in text


@pytest.mark.parametrize(
    ("rungs", "said"), [(Rungs(), "nothing waits for it"), (Rungs(problem="the broker is away"), "not known")]
)
async def test_an_lms_that_took_all_is_not_unknown_once_the_relay_has_forgotten_it(
    rungs: Rungs, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    uuid, url = uuid_of(1), "https://lms.example/xqueue/1/score_update"
    desk.tell(Submitted(time(), uuid, "openedx", sealed_url=desk.seals.seal(url, uuid)), Delivered(time(), uuid, 1))
    known = desk.console._known

    async def seen() -> Rungs:
        return rungs

    async def health() -> dict[str, str]:
        return {}

    monkeypatch.setattr(known.rungs, "seen", seen)
    monkeypatch.setattr(known.relay, "health", health)
    async with desk.logged_in("ada") as ada:
        assert said in text_of(await ada.get("/lms"))
