"""What a console tells `xqueue-broker trace`: to who knows the secret alone, and provably."""

import os
from time import time

import pytest

from broker_setup.ledger.events import AnyEvent, Extended, Leased, Parked, Submitted
from broker_setup.operator.trace import console_words
from broker_setup.operator.trace.console_words import MAC_HEADER, PATH, ConsoleWords
from broker_setup.operator.trace.history import Step, Timeline
from gateway.console.pages.trace_call import TraceCall
from tests.support.console import SECRET, Desk
from tests.support.ledger_events import uuid_of

OTHER = "fedcba9876543210fedcba9876543210"


def test_an_answer_is_read_by_who_asked_and_no_other_is_taken_for_it() -> None:
    words = ConsoleWords([SECRET])
    question, body, mac = words.question("12")
    assert words.read_question(body, mac) == ConsoleWords([OTHER, SECRET]).read_question(body, mac) == question
    timeline = Timeline(uuid_of(1), [Step(Submitted(1.0, uuid_of(1), "q"), "gateway a", void=False)])
    answer, proof = words.answer(question, [timeline])
    [told] = words.read_answer(question, answer, proof) or []
    assert (told.submission, told.queue, told.steps) == (timeline.submission, "q", timeline.steps)
    another, *_ = words.question("12")
    assert words.read_answer(another, answer, proof) is None
    assert words.read_answer(question, answer + b"x", proof) is None
    assert ConsoleWords([OTHER]).read_answer(question, answer, proof) is None


def test_a_question_of_a_stranger_or_an_old_one_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ConsoleWords([SECRET])
    _, body, mac = words.question("12")
    assert ConsoleWords([OTHER]).read_question(body, mac) is None
    assert words.read_question(body[:-1], mac) is None
    assert words.read_question(body, "") is None
    monkeypatch.setattr(console_words, "time", lambda: time() + 1000)
    assert words.read_question(body, mac) is None


async def test_the_call_is_refused_without_proof_and_while_the_ledger_is_read() -> None:
    desk = Desk()
    words = ConsoleWords([SECRET])
    _, body, mac = words.question("12")
    async with desk.browser() as browser:
        assert (await browser.post(PATH, content=body)).status_code == 403
        assert (await browser.post(PATH, content=os.urandom(100_000), headers={MAC_HEADER: mac})).status_code == 400
        assert (await browser.post(PATH, content=body, headers={MAC_HEADER: mac})).status_code == 503


@pytest.mark.parametrize("subject", ["id", "uuid", "url"])
def test_a_submission_is_told_by_each_of_its_names(subject: str) -> None:
    desk = Desk()
    uuid, url = uuid_of(3), "https://lms.example/xqueue/3/score_update"
    desk.tell(
        Submitted(time(), uuid, "openedx", sealed_url=desk.seals.seal(url, uuid)),
        Leased(time(), uuid, "openedx", b"", b"k" * 16, time() + 60, "", 1, b"", "ned"),
    )
    known = desk.console._known
    found = known.index.find(uuid)
    assert found is not None
    names = {"id": str(found.submission_id), "uuid": uuid.hex(), "url": url}
    [timeline] = TraceCall(known)._timelines(names[subject])
    assert (timeline.submission, timeline.queue, [step.name for step in timeline.steps]) == (
        uuid,
        "openedx",
        ["submitted", "leased"],
    )
    assert TraceCall(known)._timelines(url[:-1]) == TraceCall(known)._timelines("1") == []


@pytest.mark.parametrize(
    "cut",
    [
        [Parked(time(), uuid_of(3), "openedx", b"", "y" * 1000)],
        [Leased(time(), uuid_of(3), "openedx", b"", b"k" * 16, time() + 60, "", 1, b"", "ned")] * 301,
        [Extended(time(), uuid_of(3), b"k" * 16, time() + more) for more in (60, 61)],
    ],
    ids=["a long reason", "many events", "extensions"],
)
def test_where_something_was_left_out_nothing_is_told_so_that_the_ledger_is_read(cut: list[AnyEvent]) -> None:
    desk = Desk()
    desk.tell(Submitted(time(), uuid_of(3), "openedx"), *cut)
    assert TraceCall(desk.console._known)._timelines(uuid_of(3).hex()) == []


@pytest.mark.parametrize("subject", ["state:nope", "since:nope", "id:nope"])
def test_what_is_a_mistake_in_a_search_alone_is_found_nowhere(subject: str) -> None:
    assert TraceCall(Desk().console._known)._timelines(subject) == []
