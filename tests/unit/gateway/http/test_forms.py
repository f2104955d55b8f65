"""Forms as browsers, scripts and attackers send them: read byte for byte, or refused with a reason."""

import asyncio
import contextlib
import errno
import gc
import threading
import tracemalloc
from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from broker_setup.process.beside import LARGE_BYTES, acting_for
from gateway.http.forms import (
    MAX_FIELDS,
    BadFormError,
    FormLimits,
    ShortError,
    TooLargeError,
    drain,
    read_form,
)
from gateway.http.shared_room import BusyError, SharedRoom

LIMITS = FormLimits(fields=10_000, file=5_000, files_total=20_000, files=3)
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=limit"
TEXTS = ["", "plain", "a=b&c=d", "CR\r\nLF\n", "emoji 🐍é\u2028", "per%cent + plus", "NUL\x00", "\ufeffBOM"]


class Sender:
    """An ASGI server that hands over `chunks` and notes whether all of them were fetched."""

    def __init__(self, content_type: str | None, chunks: Sequence[bytes], *, hangs_up: bool = False) -> None:
        self.left: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        if hangs_up:
            self.left.append({"type": "http.disconnect"})
        elif self.left:
            self.left[-1]["more_body"] = False
        else:
            self.left.append({"type": "http.request", "body": b"", "more_body": False})
        headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        assert self.left, "asked for more than there is: a real server would wait for ever"
        return self.left.pop(0)


async def read(
    content_type: str | None, *chunks: bytes, limits: FormLimits = LIMITS
) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read a form; whatever comes of it, the whole body must have been fetched."""
    sender = Sender(content_type, chunks)
    try:
        async with read_form(sender.request, limits) as form:
            return dict(form.fields), {name: file.read() for name, file in form.files.items()}
    finally:
        assert not sender.left, "answered before the whole body was read"


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
            gc.collect()
            held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.3 * size
    assert most < 4.3 * size  # JSON is a text of its own before its strings are


async def test_a_refused_form_holds_nothing_while_the_rest_of_it_is_drained() -> None:
    chunk, held = 1024 * 1024, []

    class Watched(Sender):
        async def _receive(self) -> Message:
            held.append(tracemalloc.get_traced_memory()[0])
            return await super()._receive()

    sender = Watched(URLENCODED, [bytes(chunk)] * 12)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            async with read_form(sender.request, FormLimits(fields=8 * chunk, file=1, files_total=1, files=1)):
                pass
    finally:
        tracemalloc.stop()
    assert max(held) > 7 * chunk
    assert held[-1] < 2 * chunk


def part(name: str, content: bytes, *, filename: str | None = None, boundary: str = "limit") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"--limit--\r\n"


@pytest.mark.parametrize("text", TEXTS, ids=repr)
@pytest.mark.parametrize("content_type", [URLENCODED, f"{URLENCODED}; charset=utf-8", None, "text/plain", "nonsense"])
async def test_an_urlencoded_form_is_read_byte_for_byte_whatever_its_content_type(
    content_type: str | None, text: str
) -> None:
    fields, files = await read(content_type, urlencode({"a": text, "b": "x"}).encode())
    assert fields == {"a": text, "b": "x"}
    assert files == {}


@pytest.mark.parametrize("text", TEXTS, ids=repr)
@pytest.mark.parametrize(
    "content_type", [MULTIPART, 'Multipart/Form-Data; boundary="limit"', f"{MULTIPART}; charset=x"]
)
async def test_a_multipart_form_is_read_byte_for_byte(content_type: str, text: str) -> None:
    fields, _ = await read(content_type, part("a", text.encode()), part("b", b"x"), END)
    assert fields == {"a": text, "b": "x"}


@pytest.mark.parametrize(
    "charset", ["latin-1", "utf-7", "utf-16", "unicode_escape", "punycode", "idna", "rot13", "\xff"]
)
async def test_a_charset_that_a_sender_claims_does_not_change_its_bytes(charset: str) -> None:
    text = r"é +2AA- \ud800 xn--\x80"
    fields, _ = await read(f"{MULTIPART}; charset={charset}", part("a", text.encode()), END)
    assert fields == {"a": text}


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200), cut=st.integers(1, 50))
def test_any_text_survives_both_kinds_of_form_however_it_is_cut_into_chunks(text: str, cut: int) -> None:
    for content_type, body in (
        (URLENCODED, urlencode({"a": text}).encode()),
        (MULTIPART, part("a", text.encode()) + END),
    ):
        chunks = [body[at : at + cut] for at in range(0, len(body), cut)]
        assert asyncio.run(read(content_type, *chunks))[0] == {"a": text}


@pytest.mark.parametrize("name", ["plain.py", "with space.py", "ünïcödé 🐍.py", "../../etc/passwd", "a%22b"])
async def test_a_file_is_named_after_its_part_and_keeps_its_bytes(name: str) -> None:
    content = bytes(range(256)) * 10
    fields, files = await read(MULTIPART, part("a", b"x"), part(name, content, filename="other.txt"), END)
    assert fields == {"a": "x"}
    assert files == {name: content}


async def test_of_repeated_names_the_last_counts() -> None:
    assert (await read(URLENCODED, b"a=1&a=2"))[0] == {"a": "2"}
    twice = part("f", b"1", filename="f") + part("f", b"2", filename="f")
    assert await read(MULTIPART, part("a", b"1"), part("a", b"2"), twice, END) == ({"a": "2"}, {"f": b"2"})


@pytest.mark.parametrize("body", [b"", b"&", b"=", b"a", b"a=", b"%", b"%zz=%"])
async def test_a_strange_urlencoded_form_is_a_form_all_the_same(body: bytes) -> None:
    fields, _ = await read(URLENCODED, body)
    assert len(fields) <= 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a=\xff", {"a": "\ufffd"}),
        (b"a=%FF&b=%C3%A9", {"a": "\ufffd", "b": "é"}),
        (b"%FF=a", {"\ufffd": "a"}),
        (b"a=%ED%A0%80", {"a": "\ufffd\ufffd\ufffd"}),
        (b"a=x%C3", {"a": "x\ufffd"}),
    ],
)
async def test_what_is_not_utf_8_is_replaced_and_the_rest_stays(body: bytes, fields: dict[str, str]) -> None:
    assert (await read(URLENCODED, body))[0] == fields


async def test_what_is_not_utf_8_in_a_multipart_form_is_replaced_in_names_too() -> None:
    body = (
        part("a", b"x\xffy"),
        part("b", "é".encode()),
        b'--limit\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n',
    )
    assert (await read(MULTIPART, *body, END))[0] == {"a": "x\ufffdy", "b": "é", "\ufffd": "x"}


CYRILLIC = "Привет"


@pytest.mark.parametrize("charset", ["windows-1251", '"KOI8-R"', "cp1251"])
async def test_what_is_not_utf_8_is_read_as_its_sender_says(charset: str) -> None:
    encoded = CYRILLIC.encode(charset.strip('"'))
    named = f"; charset={charset}"
    assert (await read(URLENCODED + named, b"a=" + encoded + b"&b=%C3%A9"))[0] == {"a": CYRILLIC, "b": "é"}
    assert (await read(MULTIPART + named, part("a", encoded), END))[0] == {"a": CYRILLIC}
    of_the_part = f'--limit\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain{named}\r\n\r\n'
    assert (await read(MULTIPART, of_the_part.encode() + encoded + b"\r\n", END))[0] == {"a": CYRILLIC}
    said = charset.strip('"').encode()
    assert (await read(URLENCODED, b"a=" + encoded + b"&_charset_=" + said))[0]["a"] == CYRILLIC
    assert (await read(MULTIPART, part("_charset_", said), part("a", encoded), END))[0]["a"] == CYRILLIC


@pytest.mark.parametrize(
    "charset", ["utf-7", "rot13", "unicode_escape", "punycode", "utf-16", "x" * 1000, "\x00", "no"]
)
async def test_a_charset_that_nobody_writes_in_is_nothing(charset: str) -> None:
    assert (await read(f"{URLENCODED}; charset={charset}", b"a=%FF"))[0] == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("name*=utf-8''xqueue_header", "xqueue_header"),
        ("name*=UTF-8''r%C3%A9sum%C3%A9.py", "résumé.py"),
        ("name*=iso-8859-1'fr'r%E9sum%E9", "résumé"),
        ("name*=utf-8''%22quoted%22%5C", '"quoted"\\'),
        ('name*0="one"; name*1="two"', "onetwo"),
        ("name*0*=utf-8''%C3%A9; name*1*=%C3%A9", "éé"),
        ("name*=utf-8''%FF", "\ufffd"),
    ],
)
async def test_names_of_parts_are_read_as_lmss_wrote_them_before_2020(disposition: str, name: str) -> None:
    head = f"--limit\r\nContent-Disposition: form-data; {disposition}"
    fields, files = await read(
        MULTIPART, f"{head}\r\n\r\nx\r\n{head}; filename*=utf-8''%C3%A9\r\n\r\ny\r\n".encode(), END
    )
    assert fields == {name: "x"}
    assert files == {name: b"y"}


async def test_parts_may_be_base64_as_django_took_them() -> None:
    encoding = b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    field = b'--limit\r\nContent-Disposition: form-data; name="a"' + encoding + b"w6k=\r\n"
    file = b'--limit\r\nContent-Disposition: form-data; name="f"; filename="f"' + encoding + b"AAEC\r\n/w==\r\n"
    body = field + file + END
    for cut in (1, 3, 1000):
        chunks = [body[at : at + cut] for at in range(0, len(body), cut)]
        assert await read(MULTIPART, *chunks) == ({"a": "é"}, {"f": b"\x00\x01\x02\xff"})
    for wrong in (b"w6k", b"!!!!", b"w6k=w6k="):
        with pytest.raises(BadFormError, match="base64"):
            await read(MULTIPART, field.replace(b"w6k=", wrong) + END)


async def test_a_file_may_be_any_bytes() -> None:
    _, files = await read(MULTIPART, part("f", b"\xff\xfe\x00", filename="f"), END)
    assert files == {"f": b"\xff\xfe\x00"}


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


@pytest.mark.parametrize("name", [b"name=a", b"name*=utf-8''a", b'name="a"; filename="f"'])
async def test_a_head_of_parameters_without_end_is_refused_before_they_are_read(name: bytes) -> None:
    def body(parameters: int) -> bytes:
        return b"--limit\r\nContent-Disposition: form-data; " + name + b";" * parameters + b"\r\n\r\nx\r\n" + END

    fields, files = await read(MULTIPART, body(90))
    assert {**fields, **{key: value.decode() for key, value in files.items()}} == {"a": "x"}
    with pytest.raises(BadFormError, match="more than 100 parameters"):
        await read(MULTIPART, body(4_000))
    with pytest.raises(BadFormError, match="more than 100 parameters"):
        await read(MULTIPART + ";" * 60_000, body(0))


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


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--limit",
        part("a", b"x")[:-10],
        part("a", b"x"),
        part("a", b"x") + part("b", b"y", filename="f")[:-3],
        part("a", b"x") + END[:-4],
        b"no boundary at all",
        part("a", b"x", boundary="other") + b"--other--\r\n",
        b"--limit\r\n\r\nno disposition\r\n" + END,
        b"--limit\r\nContent-Disposition: form-data\r\n\r\nno name\r\n" + END,
        b"--limit\r\nbad header\r\n\r\nx\r\n" + END,
    ],
)
async def test_a_multipart_form_that_is_cut_off_or_broken_is_refused(body: bytes) -> None:
    with pytest.raises(BadFormError):
        await read(MULTIPART, body)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data;;"]
)
async def test_a_multipart_form_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BadFormError):
        await read(content_type, part("a", b"x"), END)


@settings(max_examples=100, deadline=None)
@given(
    body=st.lists(
        st.sampled_from([b"--limit", b"\r\n", b"--", b"\xff", b'name="a"', part("a", b"x"), END]) | st.binary()
    )
)
def test_no_bytes_make_anything_but_a_form_or_a_refusal(body: list[bytes]) -> None:
    for content_type in (MULTIPART, URLENCODED, f"{MULTIPART}; charset=utf-7"):
        with contextlib.suppress(BadFormError, TooLargeError):
            asyncio.run(read(content_type, *body))


@pytest.mark.parametrize("content_type", [URLENCODED, MULTIPART])
async def test_a_sender_that_hangs_up_is_noticed(content_type: str) -> None:
    sender = Sender(content_type, [part("a", b"x")], hangs_up=True)
    with pytest.raises(ClientDisconnect):
        async with read_form(sender.request, LIMITS):
            pass


async def test_draining_reads_the_whole_body() -> None:
    sender = Sender(None, [b"x" * 1000] * 100)
    await drain(sender.request.stream())
    assert not sender.left


@pytest.mark.parametrize("content_type", [URLENCODED, "application/json", MULTIPART])
async def test_others_are_served_while_a_large_form_is_decoded(
    content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "x" * 2 * LARGE_BYTES
    bodies = {URLENCODED: b"a=" + value.encode(), MULTIPART: part("a", value.encode()) + END}
    decoding, may_end = threading.Event(), threading.Event()

    def slowly(raw: bytes, charset: str | None = None) -> str:
        decoding.set()
        assert may_end.wait(20), "nobody else was served meanwhile"
        return raw.decode()

    for module in ("urlencoded", "multipart"):
        monkeypatch.setattr(f"gateway.http.{module}.text_of", slowly)
    monkeypatch.setattr("gateway.http.json_form.whole_characters", lambda text: slowly(text.encode()))
    body = bodies.get(content_type, b'{"a": "' + value.encode() + b'"}')
    limits = FormLimits(10**7, 0, 0, 0)
    reading = asyncio.create_task(read(content_type, body, limits=limits))
    while not decoding.is_set():
        await asyncio.sleep(0.001)
    may_end.set()
    assert (await reading)[0] == {"a": value}
