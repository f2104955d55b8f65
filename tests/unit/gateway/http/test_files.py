"""Files under names that strangers chose: every byte comes back, and nothing outside of the root is touched."""

import io
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_setup.errors import StorageError
from broker_setup.upload_store import UploadStore
from broker_setup.wire.file_links import LINK_PATH, BadLinkError, ExpiredLinkError, shown_name
from gateway.http.files import BLOCK_BYTES, SubmittedFiles
from tests.support.file_names import HOSTILE_NAMES

SECRET = "0123456789abcdef0123456789abcdef"
BASE = "http://xqueue.example"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "inner" / "up loads"


def store(root: Path, *secrets: str, link_seconds: int = 100) -> SubmittedFiles:
    return SubmittedFiles(UploadStore(root.as_uri(), {}), secrets or (SECRET,), link_seconds=link_seconds, at_once=2)


def readable(**files: bytes) -> dict[str, BinaryIO]:
    return {name: io.BytesIO(content) for name, content in files.items()}


def token(link: str) -> str:
    return link.removeprefix(BASE + LINK_PATH).split("/")[0]


def all_files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


async def fetched(files: SubmittedFiles, link: str) -> bytes:
    return b"".join([block async for block in files.content(await files.find(token(link)))])


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: repr(name)[:30])
async def test_any_name_comes_back_with_its_bytes_and_stays_below_the_root(root: Path, name: str) -> None:
    content, uuid = bytes(range(256)), uuid4().hex
    links = await store(root).save(uuid, {name: io.BytesIO(content)}, BASE)
    assert list(links) == [name]
    assert await fetched(store(root), links[name]) == content
    assert all_files(root.parents[1]) == {root / uuid[:2] / uuid / "0"}


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: repr(name)[:30])
async def test_a_link_is_absolute_and_its_last_part_is_one_harmless_segment(root: Path, name: str) -> None:
    links = await store(root).save(uuid4().hex, {name: io.BytesIO(b"")}, BASE)
    link = urlsplit(links[name])
    assert (link.scheme, link.netloc, link.query, link.fragment) == ("http", "xqueue.example", "", "")
    assert link.path.startswith(LINK_PATH)
    shown = unquote(link.path.split("/")[-1])
    assert len(link.path.split("/")) == len(LINK_PATH.split("/")) + 1
    assert shown
    assert len(shown) <= 100
    assert shown not in {".", ".."}
    assert not set(shown) & set("/\\\x00\r\n")
    assert (await store(root).find(token(links[name]))).name == shown


@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=600))
def test_whatever_the_name_the_shown_one_is_harmless(name: str) -> None:
    shown = shown_name(name)
    assert 0 < len(shown) <= 100
    assert shown not in {".", ".."}
    assert not set(shown) & {"/", "\\", "\x7f", *(chr(code) for code in range(32))}


async def test_files_of_one_submission_have_a_link_each(root: Path) -> None:
    given = {f"{number}.py": f"content {number}".encode() for number in range(12)}
    links = await store(root).save(uuid4().hex, readable(**given), BASE)
    assert len(set(links.values())) == 12
    assert {name: await fetched(store(root), link) for name, link in links.items()} == given


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 25 * BLOCK_BYTES + 7])
async def test_a_file_of_any_size_comes_back_in_blocks(root: Path, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    links = await store(root).save(uuid4().hex, {"a": io.BytesIO(content)}, BASE)
    files = store(root)
    blocks = [block async for block in files.content(await files.find(token(links["a"])))]
    assert b"".join(blocks) == content
    assert max(map(len, blocks), default=0) <= BLOCK_BYTES


async def test_no_files_make_no_folder(root: Path) -> None:
    assert await store(root).save(uuid4().hex, {}, BASE) == {}
    assert all_files(root.parents[1]) == set()


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "..", "../../etc/passwd", "\x00", "é", "W10.x.y", "x" * 10_000])
async def test_a_forged_link_leads_nowhere(root: Path, forged: str) -> None:
    with pytest.raises(BadLinkError):
        await store(root).find(forged)


async def test_a_link_of_another_secret_leads_nowhere_and_one_of_an_earlier_secret_still_does(root: Path) -> None:
    old = "old" * 11
    links = await store(root, old).save(uuid4().hex, readable(a=b"content"), BASE)
    with pytest.raises(BadLinkError):
        await store(root, SECRET).find(token(links["a"]))
    assert await fetched(store(root, SECRET, old), links["a"]) == b"content"


async def test_a_link_expires(root: Path) -> None:
    links = await store(root).save(uuid4().hex, readable(a=b"content"), BASE)
    with pytest.raises(ExpiredLinkError):
        await store(root, link_seconds=-1).find(token(links["a"]))


async def test_a_link_whose_file_was_removed_leads_nowhere(root: Path) -> None:
    files, uuid, other = store(root), uuid4().hex, uuid4().hex
    links = await files.save(uuid, readable(a=b"content"), BASE)
    kept = await files.save(other, readable(a=b"kept"), BASE)
    await files.remove(uuid, 1)
    with pytest.raises(BadLinkError):
        await files.find(token(links["a"]))
    assert await fetched(files, kept["a"]) == b"kept"
    await files.remove(uuid, 1)


class Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(28, "No space left on device")


async def test_files_that_cannot_be_stored_are_an_error_and_leave_nothing(root: Path) -> None:
    with pytest.raises(StorageError, match="No space left on device"):
        await store(root).save(uuid4().hex, {"good": io.BytesIO(b"x"), "bad": Broken()}, BASE)
    assert all_files(root) == set()


async def test_a_folder_that_cannot_be_made_is_an_error(root: Path) -> None:
    root.parent.write_text("a file stands in the way")
    with pytest.raises(StorageError, match="can't store a file"):
        await store(root).save(uuid4().hex, readable(a=b"x"), BASE)


async def test_a_folder_has_no_place_elsewhere(root: Path) -> None:
    files = store(root)
    links = await files.save(uuid4().hex, readable(a=b"x"), BASE)
    assert await files.elsewhere(await files.find(token(links["a"]))) is None
