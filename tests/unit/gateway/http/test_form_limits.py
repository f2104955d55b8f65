"""What a form may have and hold, alone and together with all others under way."""

import asyncio
import errno
import gc
import tracemalloc
from urllib.parse import urlencode

import pytest
from starlette.datastructures import UploadFile
from starlette.types import Message

from broker_setup.process.beside import acting_for
from gateway.http.forms import (
    MAX_FIELDS,
    BadFormError,
    FormLimits,
    ShortError,
    TooLargeError,
    read_form,
)
from gateway.http.shared_room import BusyError, SharedRoom
from tests.support.forms import END, MULTIPART, URLENCODED, Sender, part, read
from tests.support.waiting import eventually


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART, "application/json"])
async def test_a_form_under_way_holds_its_fields_and_not_what_was_sent(kind: str) -> None:
    size, piece = 4 * 1024 * 1024, 64 * 1024
    before, after = {
        URLENCODED: (b"xqueue_body=", b""),
        MULTIPART: (b'--limit\r\nContent-Disposition: form-data; name="xqueue_body"\r\n\r\n', b"\r\n--limit--\r\n"),
        "application/json": (b'{"xqueue_body": "', b'"}'),
    }[kind]
    sender = Sender(kind, [before, *(b"x" * piece for _ in range(size // piece)), after])
    sizes = FormLimits(fields=2 * size, file=1, files_total=1, files=1)
    tracemalloc.start()
    try:
        async with read_form(sender.request, sizes) as form:
            assert form.size == size
            # The thread that decoded it lets go of it when it is through, a moment later.
            await eventually(lambda: gc.collect() >= 0 and tracemalloc.get_traced_memory()[0] < 1.3 * size)
            _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4.3 * size  # JSON is a text of its own before its strings are


HEAD = b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        (URLENCODED, b"a="),
        (MULTIPART, HEAD % b"a"),
        (MULTIPART, HEAD % b"a" + b"x" * 4 * 1024**2 + b"\r\n" + HEAD % b"b"),
    ],
)
async def test_a_refused_form_holds_nothing_while_the_rest_of_it_is_drained_nor_after_that(
    kind: str, before: bytes
) -> None:
    chunk, held = 1024 * 1024, []

    class Watched(Sender):
        async def _receive(self) -> Message:
            held.append(tracemalloc.get_traced_memory()[0])
            return await super()._receive()

    sender = Watched(kind, [before] + [bytes(chunk)] * 12)
    # No collection comes for hours where a gateway has little else to do.
    gc.disable()
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            async with read_form(sender.request, FormLimits(fields=8 * chunk, file=1, files_total=1, files=1)):
                pass
        held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert max(held) > 7 * chunk
    assert held[-2] < 2 * chunk
    assert held[-1] < 2 * chunk


@pytest.mark.parametrize(
    ("content_type", "chunks"),
    [
        (URLENCODED, [b"&".join([b"a=1"] * (MAX_FIELDS + 1))]),
        (MULTIPART, [part("a", b"1")] * (MAX_FIELDS + 1) + [END]),
        (MULTIPART, [b"".join([part("a", b"1")] * 10_000) + END]),
    ],
)
async def test_too_many_fields_are_refused(content_type: str, chunks: list[bytes]) -> None:
    with pytest.raises((BadFormError, TooLargeError)):
        await read(content_type, *chunks, limits=FormLimits(10**6, 0, 0, 3))


async def test_as_many_fields_as_allowed_are_read() -> None:
    named = {f"f{number}": str(number) for number in range(MAX_FIELDS)}
    assert (await read(URLENCODED, urlencode(named).encode()))[0] == named
    parts = [part(name, value.encode()) for name, value in named.items()]
    assert (await read(MULTIPART, *parts, END))[0] == named


@pytest.mark.parametrize(
    "chunks", [[b"a=" + b"x" * 10_000], [b"a=", b"x" * 9_999, b"x" * 9_999, b"x"], [b"x"] * 10_001]
)
async def test_an_urlencoded_form_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(TooLargeError, match="more than 10000 bytes"):
        await read(URLENCODED, *chunks)


async def test_an_urlencoded_form_of_just_the_limit_is_read() -> None:
    assert (await read(URLENCODED, b"a=" + b"x" * 9_998))[0] == {"a": "x" * 9_998}


@pytest.mark.parametrize(
    "chunks",
    [
        [part("a", b"x" * 40_000) + END],
        [part("f", b"x" * 40_000, filename="f"), END],
        [part("a", b"1"), *[b"x" * 10_000] * 5, END],
    ],
)
async def test_a_multipart_form_over_the_limit_of_all_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises((BadFormError, TooLargeError)):
        await read(MULTIPART, *chunks)


async def test_a_field_over_the_limit_is_refused_though_files_could_be_that_large() -> None:
    with pytest.raises((BadFormError, TooLargeError)):
        await read(MULTIPART, part("a", b"x" * 10_001), END)


async def test_a_file_over_its_limit_is_refused_by_name() -> None:
    with pytest.raises(TooLargeError, match=r"file 'big\.bin' has more than 5000 bytes"):
        await read(MULTIPART, part("big.bin", b"x" * 5_001, filename="big.bin"), END)


async def test_files_over_their_sum_are_refused_though_each_is_small_enough() -> None:
    limits = FormLimits(fields=10_000, file=5_000, files_total=9_000, files=3)
    files = [part(f"{number}", b"x" * 4_000, filename="f") for number in range(3)]
    with pytest.raises(TooLargeError, match="the files have more than 9000 bytes"):
        await read(MULTIPART, *files, END, limits=limits)


async def test_fields_over_their_sum_are_refused_though_each_is_small_enough() -> None:
    with pytest.raises(TooLargeError, match="more than 10000 bytes"):
        await read(MULTIPART, *[part(f"{number}", b"x" * 4_000) for number in range(3)], END)


async def test_what_is_over_a_limit_is_read_but_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    write = UploadFile.write

    async def counted(file: UploadFile, data: bytes) -> None:
        nonlocal written
        written += len(data)
        await write(file, data)

    monkeypatch.setattr(UploadFile, "write", counted)
    with pytest.raises(TooLargeError):
        await read(MULTIPART, part("f", b"", filename="f")[:-2], *[b"x" * 1_000] * 15)
    assert written <= 5_000


def bounded(memory: SharedRoom) -> FormLimits:
    return FormLimits(fields=10_000, file=5_000, files_total=20_000, files=3, memory=memory)


@pytest.mark.parametrize(
    ("content_type", "body"), [(URLENCODED, b"a=" + b"x" * 6_000), (MULTIPART, part("a", b"x" * 6_000) + END)]
)
async def test_forms_share_one_memory_and_give_it_back(content_type: str, body: bytes) -> None:
    limits = bounded(SharedRoom(10_000))
    for _ in range(3):
        async with read_form(Sender(content_type, [body]).request, limits):
            with pytest.raises(BusyError):
                await read(content_type, body, limits=limits)
    with pytest.raises(BadFormError):
        await read(MULTIPART, part("a", b"x" * 6_000), limits=limits)
    await read(content_type, body, limits=limits)


async def held(account: str, body: bytes, limits: FormLimits, end: asyncio.Event) -> bool:
    """Hold a form of an account until the end; say whether it was taken."""
    acting_for.set(account)
    try:
        async with read_form(Sender(URLENCODED, [body]).request, limits):
            await end.wait()
    except BusyError:
        return False
    return True


async def test_no_account_fills_the_memory_for_forms_so_that_others_have_none() -> None:
    limits, end = bounded(SharedRoom(100_000)), asyncio.Event()
    body = b"a=" + b"x" * 998
    hostile = [asyncio.create_task(held(name, body, limits, end)) for _ in range(200) for name in ("one", "another")]
    await asyncio.sleep(0)
    innocent = [asyncio.create_task(held("lms", body, limits, end)) for _ in range(10)]
    await asyncio.sleep(0)
    end.set()
    assert sum(await asyncio.gather(*hostile)) < 90
    assert all(await asyncio.gather(*innocent))
    # Nothing of it is left.
    assert sum(await asyncio.gather(*(held("one", body, limits, end) for _ in range(10)))) == 10


async def test_one_form_of_an_account_may_take_all_that_is_left() -> None:
    end = asyncio.Event()
    end.set()
    assert await held("lms", b"a=" + b"x" * 9_000, bounded(SharedRoom(9_100)), end)


async def test_files_take_none_of_the_memory_for_forms() -> None:
    _, files = await read(MULTIPART, part("f", b"x" * 5_000, filename="f"), END, limits=bounded(SharedRoom(100)))
    assert files == {"f": b"x" * 5_000}


async def test_the_files_of_all_requests_share_one_room_on_the_disk_and_give_it_back() -> None:
    disk = SharedRoom(7_000, "MAX_UPLOADS_SIZE")
    limits = FormLimits(fields=10_000, file=5_000, files_total=20_000, files=3, disk=disk)
    body = part("f", b"x" * 4_000, filename="f") + END
    for _ in range(3):
        async with read_form(Sender(MULTIPART, [body]).request, limits):
            with pytest.raises(BusyError, match="MAX_UPLOADS_SIZE"):
                await read(MULTIPART, body, limits=limits)
            # Who brings none goes on.
            await read(MULTIPART, part("a", b"x"), END, limits=limits)
    with pytest.raises(BadFormError):
        await read(MULTIPART, part("f", b"x" * 4_000, filename="f"), limits=limits)
    await read(MULTIPART, body, limits=limits)


@pytest.mark.parametrize(
    ("error", "lacks"), [(OSError(errno.ENOSPC, ""), "no space left"), (OSError(errno.EMFILE, ""), "too many open")]
)
async def test_a_file_for_which_there_is_no_room_here_is_nobodys_fault(
    monkeypatch: pytest.MonkeyPatch, error: OSError, lacks: str
) -> None:
    async def full(_: UploadFile, data: bytes) -> None:
        raise error

    monkeypatch.setattr(UploadFile, "write", full)
    with pytest.raises(ShortError, match=lacks):
        await read(MULTIPART, part("f", b"x" * 5_000, filename="f"), END)


async def test_more_files_than_allowed_are_refused() -> None:
    files = [part(f"{number}", b"x", filename="f") for number in range(4)]
    with pytest.raises(TooLargeError, match="3"):
        await read(MULTIPART, *files, END)
