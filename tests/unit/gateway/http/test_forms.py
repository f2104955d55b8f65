"""Forms as browsers, scripts and attackers send them: read byte for byte, or refused with a reason."""

import asyncio
import contextlib
import threading
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from broker_setup.process.beside import LARGE_BYTES
from gateway.http.forms import (
    BadFormError,
    FormLimits,
    TooLargeError,
    drain,
    read_form,
)
from tests.support.forms import END, LIMITS, MULTIPART, URLENCODED, Sender, part, read

TEXTS = ["", "plain", "a=b&c=d", "CR\r\nLF\n", "emoji 🐍é\u2028", "per%cent + plus", "NUL\x00", "\ufeffBOM"]


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


async def test_more_extended_parameters_than_any_client_sends_are_refused() -> None:
    def body(number: int) -> bytes:
        more = b"; a*=b" * number
        return b"--limit\r\nContent-Disposition: form-data; name*=utf-8''a" + more + b"\r\n\r\nx\r\n" + END

    assert await read(MULTIPART, body(8)) == ({"a": "x"}, {})
    with pytest.raises(BadFormError, match="more than 16 extended parameters"):
        await read(MULTIPART, body(90))


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
