"""`xqueue-broker import-legacy`: what it says first, what it does, in which order, and what it leaves out."""

import json
from datetime import UTC, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest

from broker_setup.ledger.events import Delivered, Extended, Leased, Released, Retired, Submitted, hash_key
from broker_setup.operator.import_legacy.fates import uuid_of
from broker_setup.operator.import_legacy.table import LegacyTable
from broker_setup.topology import CHECKED_QUEUE, submissions_queue
from tests.support.broker import VHost
from tests.support.ledger import events_in, write_frames
from tests.support.legacy_table import NOW, OldRow, header, make_table
from tests.support.operator import Operator, take_all


@pytest.fixture
def operator(vhost: VHost) -> Operator:
    made = Operator(vhost.amqp_url)
    made.json("declare")
    return made


def old(number: int, **changes: Any) -> OldRow:
    queue = changes.get("queue_name", "openedx")
    return OldRow(number, header(f"http://lms.example/{number}", f"key {number}", queue), **changes)


ROWS = [
    old(3, arrival_time=NOW - timedelta(days=2), xqueue_body="the oldest"),
    old(4, queue_name="q.2"),
    old(5, xqueue_body="\u00fc \U0001f600"),
    old(6, grader_reply='{"score": 1}', return_time=NOW - timedelta(minutes=5)),
    old(7, queue_name="closed"),
    old(8, retired=True, lms_ack=True, grader_reply="{}", return_time=NOW - timedelta(days=1)),
    old(9, retired=True),
    OldRow(10, "cut off"),
    old(11, s3_keys='{"a.py": "5d41", "b": "../x"}', s3_urls='{"a.py": "http://old/5d41", "b": "http://old/b"}'),
    # More of them than fit the table's column.
    old(12, s3_keys='{"KEY_FOR_EXTERNAL_DICTS": "e4da"}', s3_urls='{"URL_FOR_EXTERNAL_DICTS": "/media/e4da"}'),
    old(13, xqueue_body=None, pull_time=NOW - timedelta(days=1), pullkey="old key"),
]


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    make_table(url, ROWS)
    return url


def test_it_says_first_what_it_would_do_and_does_nothing(operator: Operator, database: str) -> None:
    ran = operator.run("import-legacy", database)
    assert ran.returncode == 0
    assert "nothing was done; --yes does it" in ran.stderr
    assert "row 7 is left out: queue 'closed' is not one of XQUEUES" in ran.stdout
    assert "row 10 is left out: its xqueue_header has no lms_callback_url, or was cut off" in ran.stdout
    assert "row 12: a link without a host, which only --media can mend: its list of files" in ran.stdout
    said = operator.json("import-legacy", database)
    assert said["dry_run"]
    none = {"waits": 0, "leased": 0, "replied": 0, "ended": 0, "refused": 0, "done": 0}
    assert said["queues"] == {
        "openedx": none | {"waits": 5, "replied": 1, "refused": 1},
        "q.2": none | {"waits": 1},
        "closed": none | {"refused": 1},
    }
    assert take_all(operator.amqp_url, submissions_queue("openedx")) == []
    assert events_in(operator.amqp_url) == []


def test_what_waits_is_in_its_queue_in_order_under_its_old_id_with_its_time_and_its_files(
    operator: Operator, database: str, tmp_path: Path
) -> None:
    media = tmp_path / "media/openedx"
    media.mkdir(parents=True)
    (media / "5d41").write_bytes(b"print()")
    (media / "e4da").write_text('{"files": {"c.py": "/media/79"}, "keys": {"c.py": "79", "d": "80"}}')
    (media / "79").write_bytes(b"print(1)")
    files = {"PUBLIC_URL": "https://xqueue.example", "UPLOAD_PATH": str(tmp_path / "up")}
    looked = operator.json("import-legacy", database, "--media", str(tmp_path / "media"), **files)
    assert looked["files_missing"] == {"11": ["b"], "12": ["d"]}
    assert not (tmp_path / "up").exists()
    said = operator.json("import-legacy", database, "--yes", "--media", str(tmp_path / "media"), **files)
    assert (said["files"], said["files_missing"]) == (2, {"11": ["b"], "12": ["d"]})
    assert sorted(path.read_bytes() for path in (tmp_path / "up").rglob("*/*/0")) == [b"print()", b"print(1)"]

    [counted] = [each for each in operator.json("count")["queues"] if each["queue"] == "openedx"]
    assert counted["oldest_waiting"] >= 2 * 86400
    came = take_all(operator.amqp_url, submissions_queue("openedx"))
    works = [json.loads(body) for _, body, _ in came]
    assert [work["xqueue_header"]["submission_id"] for work in works] == [3, 5, 11, 12, 13]
    assert [work["xqueue_body"] for work in works] == ["the oldest", "\u00fc \U0001f600", "work", "work", ""]
    links = works[2]["xqueue_files"]
    assert links["a.py"].startswith("https://xqueue.example/xqueue/files/")
    assert links["b"] == "http://old/b"
    [(uuid, reply, _)] = take_all(operator.amqp_url, CHECKED_QUEUE)
    assert reply == b'{"score": 1}'

    # Once more, and nothing of it is done twice.
    again = operator.json("import-legacy", database, "--yes")
    assert (again["queues"]["openedx"]["done"], again["queues"]["openedx"]["waits"]) == (6, 0)
    assert take_all(operator.amqp_url, submissions_queue("openedx")) == []
    assert [event.submission.hex() for event in events_in(operator.amqp_url) if isinstance(event, Submitted)].count(
        uuid
    ) == 1


def test_without_media_links_stay_and_those_that_lead_nowhere_are_named(operator: Operator, database: str) -> None:
    said = operator.json("import-legacy", database, "--yes")
    assert (said["files"], said["files_missing"], said["last_id"]) == (0, {"12": ["its list of files"]}, 13)
    works = [json.loads(body) for _, body, _ in take_all(operator.amqp_url, submissions_queue("openedx"))]
    assert works[2]["xqueue_files"] == {"a.py": "http://old/5d41", "b": "http://old/b"}


def test_what_a_run_stored_and_could_not_note_is_not_stored_again_once_it_was_graded(
    operator: Operator, database: str
) -> None:
    with LegacyTable(database) as table:
        [[first], *_] = table.portions(1, with_retired=False)
    write_frames(operator.amqp_url, [[Delivered(time(), bytes.fromhex(uuid_of(first)), attempts=1)]])
    said = operator.json("import-legacy", database, "--yes")
    assert (said["queues"]["openedx"]["waits"], said["queues"]["openedx"]["done"]) == (4, 1)


def test_what_a_run_leased_and_could_not_store_is_stored_by_the_next_whatever_its_grader_did_with_the_lease(
    operator: Operator, database: str
) -> None:
    with LegacyTable(database) as table:
        [[first], *_] = table.portions(1, with_retired=False)
    uuid, key, at = bytes.fromhex(uuid_of(first)), hash_key("old key"), time()
    lease = Leased(at, uuid, "openedx", b"", key, at + 60, "sealed", attempt=0, after=b"")
    given_back = Released(at + 2, uuid, key, available_at=at + 2, failed=False)
    write_frames(operator.amqp_url, [[lease], [Extended(at + 1, uuid, key, at + 90)], [given_back]])
    operator.json("import-legacy", database, "--yes")
    assert uuid.hex() in {came[0] for came in take_all(operator.amqp_url, submissions_queue("openedx"))}


def test_the_ledger_hears_of_what_has_ended_where_that_is_asked_for(operator: Operator, database: str) -> None:
    said = operator.json("import-legacy", database, "--yes", "--history", "--by", "ada")
    assert said["queues"]["openedx"]["ended"] == 2
    ends = [event for event in events_in(operator.amqp_url) if isinstance(event, Delivered | Retired)]
    delivered, retired = sorted(ends, key=lambda event: event.submission.hex()[-1])
    assert isinstance(delivered, Delivered)
    assert delivered.at == pytest.approx((NOW - timedelta(days=1)).replace(tzinfo=UTC).timestamp())
    assert isinstance(retired, Retired)
    assert (retired.by, retired.reason) == ("ada", "retired before it was imported")


@pytest.mark.parametrize(
    ("database", "says"),
    [
        ("nonsense", "DATABASE is no URL of a database that can be read"),
        ("oracle://a:b@c/d", "DATABASE is no URL of a database that can be read"),
        ("mysql://u:hunter2@127.0.0.1:1/x", "the original's database can't be read: Can't connect to MySQL server"),
        ("mysql://u:p@hunter2@127.0.0.1/x", "DATABASE has a password with an @ in it: write that as %40"),
        ("mysql://u:hunter2@127.0.0.1:abc/x", "DATABASE is no URL of a database that can be read"),
        ("mysql://u:hunter2@127.0.0.1/x?foo=1", "DATABASE has an option that its driver does not know"),
        ("sqlite:///nowhere.db", "DATABASE: there is no file nowhere.db"),
        ("sqlite://", "the database has no table queue_submission: is it the original's?"),
    ],
)
def test_a_database_that_can_not_be_read_is_one_line_without_its_password(
    operator: Operator, database: str, says: str
) -> None:
    said = operator.refused("import-legacy", database)
    assert said.startswith(f"xqueue-broker: {says}")
    assert "hunter2" not in said


def test_files_without_a_place_or_an_address_are_named_before_anything_is_done(
    operator: Operator, database: str
) -> None:
    assert "PUBLIC_URL is not set" in operator.refused("import-legacy", database, "--yes", "--media", ".")
    assert "there is no such folder" in operator.refused(
        "import-legacy", database, "--yes", "--media", "/nowhere", PUBLIC_URL="http://x"
    )
    assert events_in(operator.amqp_url) == []


def test_a_mistyped_account_and_a_database_that_is_not_named_are_refused(operator: Operator, database: str) -> None:
    users = '{"lms": "a password of the tests"}'
    refused = operator.refused("import-legacy", database, "--yes", "--account", "lsm", USERS=users)
    assert "--account 'lsm' is none of USERS; there are: lms" in refused
    assert "LEGACY_DATABASE" in operator.refused("import-legacy")
    assert events_in(operator.amqp_url) == []
