"""Files under names that strangers chose: every byte comes back, and nothing outside of the root is touched."""

import io
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import files as module
from gateway.files import LINK_PATH, BadLinkError, ExpiredLinkError, FileStore, StorageError

SECRET = "0123456789abcdef0123456789abcdef"
BASE = "http://xqueue.example"
HOSTILE_NAMES = [
    "with some spaces.py",
    "ünïcödé 🐍.py",
    "../../../../etc/passwd",
    "..",
    ".",
    "",
    "/etc/passwd",
    "C:\\windows\\system32",
    "nul\x00byte",
    "new\r\nline",
    'quote".txt',
    "per%2fcent",
    "que?ry#hash",
    "x" * 500,
    "é" * 500,
    "trailing.",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "inner" / "uploads"


def store(root: Path, *secrets: str, link_seconds: int = 100) -> FileStore:
    return FileStore(root, secrets or (SECRET,), link_seconds=link_seconds)


def readable(**files: bytes) -> dict[str, BinaryIO]:
    return {name: io.BytesIO(content) for name, content in files.items()}


def token(link: str) -> str:
    return link.removeprefix(BASE + LINK_PATH).split("/")[0]


def all_files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: repr(name)[:30])
async def test_any_name_comes_back_with_its_bytes_and_stays_below_the_root(root: Path, name: str) -> None:
    content = bytes(range(256))
    links = await store(root).save(uuid4().hex, {name: io.BytesIO(content)}, BASE)
    assert list(links) == [name]
    found = store(root).find(token(links[name]))
    assert found.path.read_bytes() == content
    assert all_files(root.parents[1]) == {found.path}
    assert root in found.path.parents
    assert found.path.name == "0"


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
    assert store(root).find(token(links[name])).name == shown


@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=600))
def test_whatever_the_name_the_shown_one_is_harmless(name: str) -> None:
    shown = module._shown(name)
    assert 0 < len(shown) <= 100
    assert shown not in {".", ".."}
    assert not set(shown) & {"/", "\\", "\x7f", *(chr(code) for code in range(32))}


async def test_files_of_one_submission_have_a_link_each(root: Path) -> None:
    given = {f"{number}.py": f"content {number}".encode() for number in range(12)}
    links = await store(root).save(uuid4().hex, readable(**given), BASE)
    assert len(set(links.values())) == 12
    assert {name: store(root).find(token(link)).path.read_bytes() for name, link in links.items()} == given


async def test_no_files_make_no_folder(root: Path) -> None:
    assert await store(root).save(uuid4().hex, {}, BASE) == {}
    assert all_files(root.parents[1]) == set()


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "..", "../../etc/passwd", "\x00", "é", "W10.x.y", "x" * 10_000])
def test_a_forged_link_leads_nowhere(root: Path, forged: str) -> None:
    with pytest.raises(BadLinkError):
        store(root).find(forged)


async def test_a_link_of_another_secret_leads_nowhere_and_one_of_an_earlier_secret_still_does(root: Path) -> None:
    old = "old" * 11
    links = await store(root, old).save(uuid4().hex, readable(a=b"content"), BASE)
    with pytest.raises(BadLinkError):
        store(root, SECRET).find(token(links["a"]))
    assert store(root, SECRET, old).find(token(links["a"])).path.read_bytes() == b"content"


async def test_a_link_expires(root: Path) -> None:
    links = await store(root).save(uuid4().hex, readable(a=b"content"), BASE)
    with pytest.raises(ExpiredLinkError):
        store(root, link_seconds=-1).find(token(links["a"]))


async def test_a_link_whose_file_was_removed_leads_nowhere(root: Path) -> None:
    files, uuid, other = store(root), uuid4().hex, uuid4().hex
    links = await files.save(uuid, readable(a=b"content"), BASE)
    kept = await files.save(other, readable(a=b"kept"), BASE)
    await files.remove(uuid)
    with pytest.raises(BadLinkError):
        files.find(token(links["a"]))
    assert files.find(token(kept["a"])).path.read_bytes() == b"kept"
    await files.remove(uuid)


async def test_files_that_cannot_be_stored_are_an_error_and_leave_nothing(root: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left on device"):
        await store(root).save(uuid4().hex, {"good": io.BytesIO(b"x"), "bad": Broken()}, BASE)
    assert all_files(root) == set()
