"""Files of the original's, copied from its folder into a store of ours."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from broker_setup.errors import ArgumentError
from broker_setup.operator.import_legacy.media import ELSEWHERE, ITS_LIST, Media, left_where_they_are
from broker_setup.operator.import_legacy.row import Row
from broker_setup.operator.import_legacy.table import UNKNOWN_TIME
from broker_setup.upload_store import UploadStore, file_key
from broker_setup.wire.file_links import FileLinks

SUBMISSION = "0123456789abcdef" * 2
ROW = Row(1, "math", "{}", "work", "", "", UNKNOWN_TIME, None, None, "", "", is_acknowledged=False, is_retired=False)
LINKS = FileLinks(["a secret of the tests' own, long enough"], seconds=60)


@pytest.fixture
def store(tmp_path: Path) -> UploadStore:
    return UploadStore((tmp_path / "ours").as_uri(), {})


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs/math").mkdir(parents=True)
    return tmp_path / "theirs"


@pytest.fixture
def media(store: UploadStore, theirs: Path) -> Media:
    return Media(str(theirs), store, LINKS, "https://xqueue.example")


def named(keys: dict[str, str], urls: dict[str, str] | None = None) -> Row:
    return replace(ROW, file_keys=json.dumps(keys), file_urls=json.dumps(urls or {}))


async def content(store: UploadStore, index: int) -> bytes:
    return await store.read(file_key(SUBMISSION, index), 0, 1000)


async def test_files_are_found_under_their_queue_or_by_their_key_and_have_links_of_ours(
    media: Media, store: UploadStore, theirs: Path
) -> None:
    (theirs / "math/key one").write_bytes(b"first")
    (theirs / "key2").write_bytes(b"second")
    row = named({"a.py": "key one", "b.py": "key2"}, {"a.py": "/old/a", "c.py": "http://elsewhere/c"})
    assert await media.missing(row) == []
    moved = await media.moved(SUBMISSION, row)
    assert (moved.copied, moved.missing) == (2, [])
    assert moved.links["c.py"] == "http://elsewhere/c"
    tokens = [moved.links[name].removeprefix("https://xqueue.example") for name in ("a.py", "b.py")]
    assert all(token.startswith("/") for token in tokens)
    assert [await content(store, index) for index in range(2)] == [b"first", b"second"]


async def test_what_is_not_there_or_no_file_of_a_store_is_missing_and_keeps_the_link_that_it_had(
    media: Media, theirs: Path
) -> None:
    (theirs / "math/a").write_bytes(b"first")
    row = named({"a.py": "a", "gone.py": "gone", "out.py": "../../out"}, {"gone.py": "/old/gone"})
    assert await media.missing(row) == ["gone.py", "out.py"]
    moved = await media.moved(SUBMISSION, row)
    assert (moved.copied, moved.missing, moved.links["gone.py"]) == (1, ["gone.py", "out.py"], "/old/gone")


async def test_lists_that_lie_in_a_file_are_read_and_one_that_is_none_is_missing_as_a_whole(
    media: Media, theirs: Path
) -> None:
    (theirs / "math/a").write_bytes(b"first")
    lists = theirs / "math/lists"
    lists.write_text(json.dumps({"files": {"a.py": "/old/a"}, "keys": {"a.py": "a"}}))
    row = named({ELSEWHERE: "lists"})
    assert (await media.moved(SUBMISSION, row)).copied == 1
    lists.write_text("no JSON")
    assert (await media.moved(SUBMISSION, row)).missing == [ITS_LIST]
    lists.unlink()
    assert await media.missing(row) == [ITS_LIST]
    assert await media.missing(replace(ROW, file_keys="[cut off")) == [ITS_LIST]


def test_a_folder_that_is_not_there_and_a_place_of_no_kind_are_refused(store: UploadStore, tmp_path: Path) -> None:
    for where, words in ((str(tmp_path / "nowhere"), "no such folder"), ("nothing://bucket", "--media nothing")):
        with pytest.raises(ArgumentError, match=words):
            Media(where, store, LINKS, "https://xqueue.example")


def test_links_that_stay_are_those_with_a_host() -> None:
    left = left_where_they_are(named({}, {"a.py": "http://host/a", "b.py": "/media/b"}))
    assert (set(left.links), left.missing) == ({"a.py", "b.py"}, ["b.py"])
    assert left_where_they_are(named({ELSEWHERE: "lists"})).missing == [ITS_LIST]
