"""The console's pages without a broker: what they say, whom they let in, and that no name of a stranger's is markup."""

import re
from time import time

import html5lib
import pytest

from broker_setup.ledger.events import (
    Act,
    Acted,
    Delivered,
    Extended,
    Graded,
    Leased,
    Parked,
    Released,
    Submitted,
    Superseded,
    Undeliverable,
)
from broker_setup.operator.parked.selection import has_in_it
from gateway.console.known.broker_look import QueueLook
from gateway.console.known.standings import State
from gateway.console.pages import pausing_page
from gateway.console.pages.words import STATES
from tests.support.console import PASSWORD, Desk, console_settings, form_token_in, post, text_of
from tests.support.ledger_events import uuid_of

PAGES = ("/", "/search?q=state:parked", "/parked", "/graders")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202egpj.exe\x00\n" + "W" * 500


def submitted(desk: Desk, number: int, queue: str = "openedx", url: str = "", at: float | None = None) -> Submitted:
    uuid, at = uuid_of(number), time() if at is None else at
    url = url or f"https://lms.example/courses/c/xqueue/{number}/score_update"
    return Submitted(at, uuid, queue, sealed_url=desk.seals.seal(url, uuid))


def leased(number: int, grader: str = "matlab", queue: str = "openedx") -> Leased:
    return Leased(time(), uuid_of(number), queue, b"", bytes([number]) * 16, time() + 60, "sealed", 1, b"", grader)


def parked(number: int, reason: str = "failed 20 times", queue: str = "openedx", tell_at: float = 0.0) -> Parked:
    return Parked(time(), uuid_of(number), queue, b"", reason, 0, tell_at)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_nobody_sees_anything_without_a_login_and_comes_back_after_it(desk: Desk) -> None:
    async with desk.browser() as browser:
        for path in (*PAGES, "/lms", f"/submission/{'0' * 32}", "/parked/jobs/x"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
        assert (await browser.post("/parked/jobs", data={"verb": "redrive"})).status_code == 303
        form = {"username": "ada", "password": PASSWORD}
        answer = await browser.post("/login", data=form | {"next": "/search?q=1"})
        assert answer.headers["location"] == "/search?q=1"
        assert "httponly" in answer.headers["set-cookie"].lower()
        for elsewhere in ("//evil.example", "/\\evil.example", "https://evil.example"):
            assert (await browser.post("/login", data=form | {"next": elsewhere})).headers["location"] == "/"
        wrong = await browser.post("/login", data=form | {"password": "guess"})
        assert wrong.status_code == 401
        foreign = await browser.post("/login", data=form, headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403


async def test_wrong_passwords_are_throttled_as_the_gateways_are(desk: Desk) -> None:
    async with desk.browser() as browser:
        codes = [
            (await browser.post("/login", data={"username": "ada", "password": f"guess {number}"})).status_code
            for number in range(11)
        ]
    assert codes == [401] * 10 + [429]


async def test_every_page_may_run_only_our_own_scripts_and_none_stands_in_it(desk: Desk) -> None:
    desk.tell(submitted(desk, 1), parked(1), submitted(desk, 2))
    async with desk.logged_in("ada") as browser:
        for path in (*PAGES, f"/submission/{uuid_of(1).hex()}", "/nowhere"):
            answer = await browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
            tree = html5lib.parse(answer.text, namespaceHTMLElements=False)
            assert [each for each in tree.iter("script") if "src" not in each.attrib or each.text] == []
            assert not any(name == "style" or name.startswith("on") for each in tree.iter() for name in each.attrib)
            assert list(tree.iter("style")) == []
        for name in ("console.css", "htmx-2.0.11.min.js"):
            assert (await browser.get(f"/static/{name}")).status_code == 200


async def test_hostile_names_stand_on_every_page_as_text(desk: Desk) -> None:
    desk = Desk(console_settings(xqueues={"openedx": None, "other": None, "<b>q</b>": None}))
    desk.tell(
        submitted(desk, 1, url=f"https://lms.example/{HOSTILE}", queue="<b>q</b>"),
        leased(1, HOSTILE[:64], "<b>q</b>"),
        Extended(time(), uuid_of(1), b"k", time(), refused=HOSTILE),
        parked(1, HOSTILE, "<b>q</b>"),
        writer=HOSTILE,
    )
    async with desk.logged_in("ada") as browser:
        for path in (
            *PAGES,
            f"/submission/{uuid_of(1).hex()}",
            f"/search?q={'%3Cscript%3E'}",
            "/parked?queue=%22%3E%3Cb%3E",
        ):
            answer = await browser.get(path)
            assert answer.status_code == 200
            tree = html5lib.parse(answer.text, namespaceHTMLElements=False)
            assert [each.attrib["src"] for each in tree.iter("script")] == ["/static/htmx-2.0.11.min.js"]
            assert not list(tree.iter("img"))
            assert not list(tree.iter("b"))
            assert "\u202e" not in answer.text
            assert "49gpj" not in answer.text


async def test_a_submission_is_found_by_a_part_of_its_url_and_tells_its_story(desk: Desk) -> None:
    desk.tell(
        submitted(desk, 1),
        leased(1),
        Released(time(), uuid_of(1), bytes([1]) * 16, time(), failed=True),
        leased(1, "octave"),
        Graded(time(), uuid_of(1), "openedx", b"", bytes([1]) * 16, b"d"),
        Delivered(time(), uuid_of(1), 3),
    )
    async with desk.logged_in("vic") as browser:
        page = await browser.get("/search", params={"q": "courses/c/xqueue/1/"})
        assert f'href="/submission/{uuid_of(1).hex()}"' in page.text
        said = text_of(await browser.get(f"/submission/{uuid_of(1).hex()}"))
    for sentence in (
        "It is done: the LMS has its result.",
        "The LMS handed it in.",
        "Given to “matlab” for grading (attempt 1)",
        "said that it could not grade it",
        "Given to “octave”",
        "The LMS took the result, at try 3.",
    ):
        assert sentence in said


async def test_what_now_says_why_a_submission_waits(desk: Desk) -> None:
    desk.tell(
        submitted(desk, 1, at=time() - 7200),
        submitted(desk, 2),
        submitted(desk, 3),
        leased(3),
        submitted(desk, 4),
        parked(4, tell_at=time() + 3600),
    )
    desk.tell(Superseded(time(), uuid_of(2), "openedx", uuid_of(9)))
    desk.tell(Acted(time(), b"", Act.PAUSED, "ada", "openedx", "the grader is mended"))
    async with desk.logged_in("vic") as browser:
        said = {number: text_of(await browser.get(f"/submission/{uuid_of(number).hex()}")) for number in (1, 2, 3, 4)}
    assert "It waits for a grader. The queue is paused by ada: the grader is mended." in said[1]
    assert "The broker can't be asked at the moment" in said[1]
    assert re.search(r"The last submission of this queue was taken [\w. ]+ by “matlab”", said[1])
    assert "It is next." in said[1]
    assert "the student handed in again" in said[2]
    assert "“matlab” has it since" in said[3]
    assert "Why: failed 20 times." in said[4]
    assert "Until then a redrive reaches the gradebook." in said[4]


async def test_who_takes_a_paused_queues_work_all_the_same_is_said(desk: Desk) -> None:
    now = time()
    desk.tell(Acted(now - 60, b"", Act.PAUSED, "ada", "openedx", "the grader is mended"))
    looks = desk.console._known.broker._looks
    async with desk.logged_in("vic") as browser:
        for consumers, is_said in ((0, False), (2, True)):
            looks["openedx"] = QueueLook(now - 90, consumers=consumers, is_paused=True, asked_at=now, seen_at=now)
            assert ("2 consumers take its work all the same" in text_of(await browser.get("/"))) is is_said


async def test_a_visitor_sees_and_acts_on_their_queues_alone(desk: Desk) -> None:
    desk.tell(submitted(desk, 1), parked(1), submitted(desk, 2, "other"), parked(2, queue="other"))
    async with desk.logged_in("quinn") as quinn:
        assert (await quinn.get(f"/submission/{uuid_of(1).hex()}")).status_code == 404
        assert (await quinn.get(f"/submission/{uuid_of(2).hex()}")).status_code == 200
        for path in PAGES:
            assert "openedx" not in text_of(await quinn.get(path)).replace("e.g. openedx", "")
        assert uuid_of(1).hex() not in (await quinn.get("/search", params={"q": "score_update"})).text


async def test_a_viewer_can_not_act_nor_anybody_by_a_form_that_no_page_of_theirs_made(desk: Desk) -> None:
    desk.tell(submitted(desk, 1), parked(1))
    form = {"verb": "redrive", "uuid": uuid_of(1).hex()}
    async with desk.logged_in("vic") as vic, desk.logged_in("ada") as ada:
        assert "Redrive" not in (await vic.get("/parked")).text
        assert (await post(vic, "/parked/jobs", form)).status_code == 403
        assert (await ada.post("/parked/jobs", data=form)).status_code == 403
        stolen = form_token_in(await vic.get("/"))
        assert (await ada.post("/parked/jobs", data=form | {"form_token": stolen})).status_code == 403
        token = form_token_in(await ada.get("/"))
        foreign = await ada.post(
            "/parked/jobs", data=form | {"form_token": token}, headers={"origin": "https://evil.example"}
        )
        assert foreign.status_code == 403
        assert (await post(ada, "/parked/jobs", {"verb": "explode"})).status_code == 400
        assert (await post(ada, "/parked/jobs", {"verb": "redrive"})).status_code == 400
        pause = {"queue": "openedx", "reason": "mended"}
        assert [(await post(vic, path, pause)).status_code for path in ("/pause", "/resume")] == [403, 403]
        assert (await post(ada, "/pause", pause | {"reason": " "})).status_code == 400
        assert (await post(ada, "/pause", pause | {"queue": "nobody's"})).status_code == 400
    assert not desk.console._jobs._jobs


async def test_what_is_parked_is_listed_by_queue_and_reason(desk: Desk) -> None:
    for number in range(1, 6):
        desk.tell(submitted(desk, number), parked(number, f"because of {number}"))
    desk.tell(submitted(desk, 6, "other"), Undeliverable(time(), uuid_of(6), "404 of the LMS"))
    async with desk.logged_in("ada") as browser:
        assert "In the queues that you see: 6." in text_of(await browser.get("/parked"))
        only = text_of(await browser.get("/parked", params={"queue": "openedx", "reason": "BECAUSE OF 3"}))
        other = text_of(await browser.get("/parked", params={"queue": "other"}))
    assert "because of 3" in only
    assert "because of 2" not in only
    assert "404 of the LMS" in other


def test_every_state_has_words() -> None:
    assert set(STATES) == set(State)


@pytest.mark.parametrize(
    ("answered", "says"),
    [((True, ""), None), ((True, "the ledger is away"), "the ledger is away"), ((False, ""), "not paused any more")],
)
async def test_what_comes_of_a_resume_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answered: tuple[bool, str], says: str | None
) -> None:
    async def resumed(*_: object, **__: object) -> tuple[bool, str]:
        return answered

    monkeypatch.setattr(pausing_page, "resume_queue", resumed)
    async with desk.logged_in("ada") as ada:
        answer = await post(ada, "/resume", {"queue": "openedx"})
    assert answer.status_code == (303 if says is None else 200)
    assert says is None or says in text_of(answer)


async def test_the_page_lists_what_a_job_with_the_same_words_takes(desk: Desk) -> None:
    desk.tell(*(event for number in (1, 2) for event in (submitted(desk, number), parked(number, "failed 1 times"))))
    reason = "failed 1 times"
    for words in ("FAILED", "f?iled", "*", "fail*times", "nothing", "[a-z]"):
        taken = has_in_it(reason, words)
        async with desk.logged_in("ada") as ada:
            listed = await ada.get("/parked", params={"reason": words})
        assert (uuid_of(1).hex() in listed.text) is taken, words


async def test_a_form_with_more_escaped_signs_than_any_of_ours_is_not_undone(desk: Desk) -> None:
    async with desk.logged_in("ada") as ada:
        token = form_token_in(await ada.get("/"))
        flood = f"form_token={token}&because=" + "%41" * 10_000
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert (await ada.post("/parked/jobs", content=flood, headers=headers)).status_code == 400
    async with desk.browser() as nobody:
        large = await nobody.post("/login", content="username=" + "a" * 10_000, headers=headers)
        assert large.status_code == 400


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("quee:openedx", "No callback URL has 'quee:openedx' in it, and there are no qualifiers but queue:, state:,"),
        ("queue:opendx", "There is no queue 'opendx'; there are: "),
        ("queue: openedx", "queue: has nothing behind it: write it without a space, as in queue:openedx"),
        ("uuid:12", "'12' is no uuid: it has 32 digits"),
        ("state:paked", "there is no state 'paked'; there are waiting"),
        ("block-v1:x https://lms.example", "Nothing was found"),
    ],
)
async def test_a_search_that_can_find_nothing_says_what_can_be_typed(desk: Desk, typed: str, said: str) -> None:
    desk.tell(submitted(desk, 1))
    async with desk.logged_in("ada") as browser:
        assert said in text_of(await browser.get("/search", params={"q": typed}))


async def test_what_looks_like_a_qualifier_may_be_a_part_of_a_callback_url(desk: Desk) -> None:
    desk.tell(submitted(desk, 1, url="http://localhost:8000/score_update"))
    async with desk.logged_in("ada") as browser:
        for typed in ("localhost:8000", "Queue:openedx"):
            found = text_of(await browser.get("/search", params={"q": typed}))
            assert "1 found." in found
            assert "no qualifiers" not in found
