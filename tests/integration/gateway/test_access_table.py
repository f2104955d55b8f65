"""Every caller makes every call for every queue, and is answered what the table of docs/reference/access.md says."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from tests.integration.gateway.conftest import LEASE_SECONDS
from tests.support.broker import VHost
from tests.support.gateway import USERS, Client, Gateway, comes_true, lms_header, running_gateway
from tests.support.project import quoted, table_rows, text
from tests.support.tokens import ISSUER, asymmetric, jwks

SECTION = text("docs/reference/access.md").split("\n## ")[1]
ROWS = table_rows(SECTION)
COLUMNS = {
    "submit": 0,
    "get_queuelen": 1,
    "get_submission": 2,
    "get_submissions": 2,
    "put_result": 3,
    "put_results": 3,
    "extend_lease": 3,
    "release_submission": 3,
}
GIVE_BACK = 3
QUEUES = ("no list", "producer", "consumer", "both", "neither", "unknown")
COUNT_SECONDS = 5.0
PASSWORD = "the member's password"
SUBMIT, SCORE = "xqueue:submit", "xqueue:score"
STAFF = ["lms", "grader"]
LISTS = {
    "producer": {"producers": [*STAFF, "member"], "consumers": STAFF},
    "consumer": {"producers": STAFF, "consumers": [*STAFF, "member"]},
    "both": {"producers": [*STAFF, "member"], "consumers": [*STAFF, "member"]},
    "neither": {"producers": STAFF, "consumers": STAFF},
}

Shown = Mapping[str, Any]


def bearer(token: str, scheme: str = "Bearer") -> Shown:
    return {"headers": {"Authorization": f"{scheme} {token}"}}


@pytest.fixture(scope="module")
def gateway(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {
        "XQUEUE_SUBMISSION_PROCESSING_DELAY": str(LEASE_SECONDS / 60),
        "XQUEUE_USERS": json.dumps(USERS | {"member": PASSWORD}),
        "XQUEUE_QUEUE_ACCESS": json.dumps(LISTS),
        "XQUEUE_JWT_PUBLIC_JWKS": json.dumps(jwks()),
        "XQUEUE_JWT_ISSUERS": json.dumps([ISSUER]),
    }
    folder, queues = tmp_path_factory.mktemp("gateway"), dict.fromkeys(QUEUES[:-1])
    with running_gateway(module_vhost.amqp_url, folder, queues=queues, settings=settings) as running:
        yield running
        assert "Traceback" not in running.log, running.log


class Desk:
    """Makes calls as somebody, and knows what each answer means."""

    def __init__(self, gateway: Gateway, shown: Shown) -> None:
        self.gateway = gateway
        self.shown = shown
        self.client = Client(gateway.url, basic=False)
        self.staff = Client(gateway.url, "grader")

    def close(self) -> None:
        self.client.session.close()
        self.staff.session.close()

    def answer(self, call: str, queue: str, header: str) -> tuple[int, str]:
        """Return status and body of a call for `queue`, about the lease of `header`."""
        result = {"xqueue_header": header, "xqueue_body": "reply"}
        match call:
            case "submit":
                order = {"xqueue_header": lms_header(queue=queue), "xqueue_body": "work"}
                made = self.client.raw("POST", "submit/", data=order, **self.shown)
            case "get_queuelen" | "get_submission" | "get_submissions":
                made = self.client.raw("GET", f"{call}/", params={"queue_name": queue}, **self.shown)
            case "put_results":
                made = self.client.raw("POST", "put_results/", json={"results": [result]}, **self.shown)
            case _:
                made = self.client.raw("POST", f"{call}/", data=result | {"seconds": "1"}, **self.shown)
        self.client.session.cookies.clear()
        return made.status_code, made.text

    def comes_to_hold(self, queue: str, count: int) -> bool:
        """Say whether that many wait in `queue`, now or soon: what is on its way is counted nowhere, or twice."""
        return bool(comes_true(lambda: self.staff.queuelen(queue) == count, COUNT_SECONDS))

    def lease(self, queue: str) -> str:
        """Have something in `queue` leased, and return its header."""
        if queue == "unknown":
            return json.dumps({"submission_id": 7, "submission_key": "k"})
        assert self.staff.submit(lms_header(queue=queue), "work")[0] == 0
        return str(self.staff.get_one(queue)["xqueue_header"])


def meaning(call: str, queue: str, answer: tuple[int, str]) -> str:
    """Say which of the table's words an answer is; anything that is none of them comes back as it is."""
    status, body = answer
    if status == 302:
        return "302"
    content = json.loads(body)
    if status == 401:
        return "401" if content["content"].startswith("Token refused: ") else body
    if status == 200 and call == "put_results" and content["return_code"] == 0:
        (content,) = content["content"]
    said = content["content"]
    if status == 200 and (content["return_code"] == 0 or said == f"Queue '{queue}' is empty"):
        return "yes"
    not_there = {
        "submit": f"Queue '{queue}' not found",
        "get_submission": f"Queue '{queue}' not found",
        "get_submissions": f"Queue '{queue}' not found",
    }.get(call, "Submission does not exist")
    is_no = said == not_there or (call == "get_queuelen" and said.startswith("Valid queue names are: "))
    return "no" if status == 200 and is_no else body


def callers(session: str) -> Iterator[tuple[str, str, Shown]]:
    """Every caller of the table: an id, its row, and what it shows."""
    both, expired = asymmetric(SUBMIT, SCORE), asymmetric(SUBMIT, SCORE, exp=1)
    full = "account, or token with both scopes"
    none = "wrong password, or a session that is over"
    refused = "refused token, whatever comes with it"
    yield "nobody", "nobody", {}
    yield "foreign gate", "Basic auth of none of ours", {"auth": ("gate", "the gate's password")}
    yield "wrong password", none, {"auth": ("member", "wrong")}
    yield "forged session", none, {"cookies": {"sessionid": session[:-4] + "AAAA"}}
    yield "expired token", refused, bearer(expired)
    yield "expired token with a good session", refused, {**bearer(expired), "cookies": {"sessionid": session}}
    yield "token without scopes", "token with neither scope", bearer(asymmetric("email", "profile"))
    yield "account by Basic auth", full, {"auth": ("member", PASSWORD)}
    yield "account by session", full, {"cookies": {"sessionid": session}}
    yield "session behind a foreign gate", full, {"auth": ("gate", "x"), "cookies": {"sessionid": session}}
    yield "token with both scopes", full, bearer(both)
    yield "JWT with both scopes", full, bearer(both, "JWT")
    yield "token to submit", f"token with `{SUBMIT}`", bearer(asymmetric(SUBMIT, "email"))
    yield "token to score", f"token with `{SCORE}`", bearer(asymmetric(SCORE), "jwt")


def expected() -> dict[tuple[str, str, str], str]:
    """The table, one entry for each cell: caller, call, queue."""
    cells: dict[tuple[str, str, str], str] = {}
    for caller, queues, *words in ROWS:
        for queue in QUEUES if queues == "any" else (queues,):
            cells |= {(caller, call, queue): words[column] for call, column in COLUMNS.items()}
    return cells


@pytest.fixture(scope="module")
def session(gateway: Gateway) -> str:
    """The cookie of a session of the account."""
    with Client(gateway.url, basic=False) as client:
        client.login("member", PASSWORD)
        return str(client.session.cookies["sessionid"])


NAMES = [name for name, *_ in callers("a.session.that.is.none")]
ROW_OF = {name: row for name, row, _ in callers("a.session.that.is.none")}


def test_the_table_has_every_caller_and_queue_once_and_no_other_word() -> None:
    assert len(expected()) == len(COLUMNS) * len(QUEUES) * len(set(ROW_OF.values()))
    assert {caller for caller, *_ in expected()} == set(ROW_OF.values())
    assert len(ROWS) == len({tuple(row[:2]) for row in ROWS})
    assert set(expected().values()) == {"yes", "no", "302", "401"}


def test_the_calls_are_sorted_into_the_columns_that_the_page_names() -> None:
    named = quoted(SECTION.split("\n| ")[0])
    assert {f"{call}/" for call in COLUMNS if COLUMNS[call] >= 2} <= set(named)


@pytest.mark.parametrize("name", NAMES)
def test_a_caller_is_answered_what_the_table_says(name: str, gateway: Gateway, session: str) -> None:
    row, shown = next((row, shown) for each, row, shown in callers(session) if each == name)
    table, wrong, refused = expected(), [], 0
    desk = Desk(gateway, shown)
    for queue, call in product(QUEUES, COLUMNS):
        allowed = table[row, call, queue] == "yes"
        for last in (False, False, True):  # another try where the count before was wrong
            header = desk.lease(queue) if COLUMNS[call] == GIVE_BACK else ""
            before = None if queue == "unknown" else desk.staff.queuelen(queue)
            said = meaning(call, queue, desk.answer(call, queue, header))
            if said != table[row, call, queue]:
                wrong.append((call, queue, said, table[row, call, queue]))
            if allowed or before is None:
                break
            # Whatever it was told, nothing has happened: nothing came or went, and a lease is as it was.
            refused += 1
            assert not header or desk.staff.put(header, "the grader's reply") == (0, ""), (call, queue)
            if desk.comes_to_hold(queue, before):
                break
            assert not last, f"{call} changed {queue}"
    desk.close()
    assert wrong == []
    assert refused, "every caller is refused somewhere"


@pytest.mark.parametrize("call", COLUMNS)
def test_a_queue_that_one_may_not_see_answers_to_the_letter_like_one_that_is_not_there(
    call: str, gateway: Gateway
) -> None:
    desk = Desk(gateway, {"auth": ("member", PASSWORD)})
    hidden = desk.answer(call, "neither", desk.lease("neither"))
    absent = desk.answer(call, "unknown", desk.lease("unknown"))
    desk.close()
    assert (hidden[0], hidden[1].replace("neither", "unknown")) == absent


@pytest.mark.parametrize(
    ("shown", "names"),
    [
        ({"auth": ("member", PASSWORD)}, "no list, producer, consumer, both"),
        (bearer(asymmetric(SUBMIT)), "no list, producer, both"),
        (bearer(asymmetric(SCORE)), "no list, consumer, both"),
        (bearer(asymmetric(SCORE, preferred_username="stranger")), "no list"),
        ({"auth": ("grader", USERS["grader"])}, "no list, producer, consumer, both, neither"),
    ],
)
def test_the_list_of_valid_queues_has_only_those_that_the_caller_may_count(
    shown: Shown, names: str, gateway: Gateway
) -> None:
    desk = Desk(gateway, shown)
    _, body = desk.answer("get_queuelen", "unknown", "")
    desk.close()
    assert json.loads(body)["content"] == f"Valid queue names are: {names}"


@pytest.mark.parametrize("key", ["wrong", "", "k" * 200])
def test_a_wrong_key_does_not_tell_that_a_hidden_submission_exists(key: str, gateway: Gateway) -> None:
    desk = Desk(gateway, {"auth": ("member", PASSWORD)})
    lease = json.loads(desk.lease("neither"))
    header = json.dumps(lease | {"submission_key": key})
    answers = {json.loads(desk.answer("put_result", "neither", header)[1])["content"]}
    answers |= {json.loads(desk.answer("extend_lease", "neither", header)[1])["content"]}
    desk.close()
    assert answers == {"Submission does not exist"}
