"""The archive in a folder: what is kept once, selected by time, told of, forgotten and too old."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from broker_setup.archive.archive import Archive
from broker_setup.archive.archive_store import ArchiveStore, open_archive_store
from broker_setup.archive.entries import ArchivedResult, ArchivedSubmission, Kept
from broker_setup.archive.places import REGRADES, Part, Place, place_of
from broker_setup.archive.seals import ArchiveSeals
from broker_setup.errors import SettingsError
from broker_setup.operator.archive.views import Stock, as_dict, print_kept, print_stock, stock_of
from broker_setup.settings import Settings

SECRET = "a secret of the tests' own, long enough"
DAY = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_in(tmp_path)


def archive_in(folder: Path, secret: str = SECRET) -> Archive:
    return Archive(ArchiveStore(folder.as_uri(), {}), ArchiveSeals([secret]))


def submission(number: int, days: int = 0, body: str = "work") -> ArchivedSubmission:
    at = (DAY + timedelta(days=days)).timestamp()
    return ArchivedSubmission(f"{number:032x}", "openedx", at, "http://lms/x", body, {"a.py": "http://files/a"})


def place(of: ArchivedSubmission, part: Part = Part.SUBMISSION, amendment: int = 0) -> Place:
    return place_of(of.queue, of.submitted_at, of.uuid, part, amendment)


def result(of: ArchivedSubmission, reply: bytes, *, amendment: int = 0) -> ArchivedResult:
    return ArchivedResult(of.uuid, of.submitted_at + 60 + amendment, reply, amendment, grader="grader")


async def kept(archive: Archive, of: ArchivedSubmission, *results: ArchivedResult) -> None:
    await archive.keep(place(of), of)
    for each in results:
        await archive.keep(place(of, Part.RESULT, each.amendment), each)


async def selected(archive: Archive, since: datetime | None = None, until: datetime | None = None) -> list[Kept]:
    first, end = (each.timestamp() if each else None for each in (since, until))
    return [each async for each in archive.select("openedx", first, end)]


async def test_what_came_first_stays_and_results_stand_in_their_order(archive: Archive) -> None:
    work = submission(1)
    first, second = result(work, b"first"), result(work, b"amended", amendment=1)
    await kept(archive, work, second, first)
    assert not await archive.keep(place(work, Part.RESULT), result(work, b"another"))
    [found] = await selected(archive)
    assert found == Kept(work, [first, second])
    assert found.first_result == first


async def test_a_time_selects_what_was_submitted_from_then_to_before_then(archive: Archive) -> None:
    works = [submission(number, days=number) for number in range(4)]
    for each in works:
        await kept(archive, each)
    assert [each.submission for each in await selected(archive)] == works
    found = await selected(archive, DAY + timedelta(days=1), DAY + timedelta(days=3))
    assert [each.submission for each in found] == works[1:3]
    assert await selected(archive, DAY + timedelta(hours=1), DAY + timedelta(hours=2)) == []


async def test_what_can_not_be_read_is_counted_and_hides_no_other(archive: Archive, tmp_path: Path) -> None:
    lost, whole = submission(1), submission(2)
    await kept(archive_in(tmp_path, "another secret, which is gone by now"), lost)
    await kept(archive, whole)
    # A result of a submission that is not there, or was forgotten.
    await archive.keep(place(submission(3), Part.RESULT), result(submission(3), b"reply"))
    assert [each.submission for each in await selected(archive)] == [whole]
    assert archive.unreadable == 1
    assert archive.why_unreadable


async def test_what_is_forgotten_is_gone_with_what_regrades_found_of_it(archive: Archive) -> None:
    forgotten, other = submission(1), submission(2)
    for each in (forgotten, other):
        await kept(archive, each, result(each, b"reply"))
        await archive.keep_raw(f"{REGRADES}/run/{each.uuid}", b"found")
    archive.forget(archive.places_of(forgotten.uuid, ["openedx", "trial"]))
    assert archive.forget_regrades({forgotten.uuid}) == 1
    assert [each.submission for each in await selected(archive)] == [other]
    assert await archive.raw(f"{REGRADES}/run/{forgotten.uuid}") is None
    assert await archive.raw(f"{REGRADES}/run/{other.uuid}") == b"found"


async def test_what_is_over_is_removed_by_whole_days(archive: Archive) -> None:
    works = [submission(number, days=number) for number in range(3)]
    for each in works:
        await kept(archive, each, result(each, b"reply"))
    assert archive.remove_before((DAY + timedelta(days=1)).timestamp()) == 2
    assert [each.submission for each in await selected(archive)] == works[1:]


def test_what_a_killed_writer_began_goes_once_it_is_old(archive: Archive, tmp_path: Path) -> None:
    begun = tmp_path / "openedx" / "object#1"
    begun.parent.mkdir()
    begun.write_bytes(b"half")
    archive.store.clear_away(begun.stat().st_mtime)
    assert begun.exists()
    archive.store.clear_away(begun.stat().st_mtime + 1)
    assert not begun.exists()


async def test_its_stock_is_added_up(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    assert stock_of(archive, "openedx") == Stock("openedx")
    for each in (submission(1), submission(2, days=1)):
        await kept(archive, each, result(each, b"reply"))
    await archive.keep_raw("openedx/notes.txt", b"somebody's own")
    stock = stock_of(archive, "openedx")
    assert (stock.submissions, stock.results, stock.oldest, stock.newest) == (2, 2, "2026-11-20", "2026-11-21")
    assert stock.bytes > 4 * 33
    print_stock([stock], {"openedx": 3})
    print_stock([], {})
    said = capsys.readouterr().out
    assert "2026-11-21" in said
    assert "not written yet: 3 in openedx\n" in said
    assert "not written yet: nothing\n" in said


def test_a_submission_is_shown_with_nothing_that_means_something_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = submission(1, body='{"code": "\\u001b[2J"}')
    shown = Kept(work, [result(work, b"\x1b[31mred"), ArchivedResult(work.uuid, 0.0, b"told", notice=True)])
    print_kept(shown)
    print_kept(Kept(submission(2, body="no JSON")))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "result 0, " in said
    assert "by grader" in said
    assert "notice, " in said
    assert "body: no JSON" in said
    found = as_dict(shown)
    assert found["files"] == {"a.py": "http://files/a"}
    assert [each["notice"] for each in found["results"]] == [False, True]


def test_a_store_that_is_not_set_or_can_not_be_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="ARCHIVE_STORE is not set"):
        open_archive_store(Settings())
    with pytest.raises(SettingsError, match="ARCHIVE_STORE_OPTIONS"):
        open_archive_store(Settings(archive_store="s3://bucket", archive_store_options={"nonsense": SecretStr("x")}))
