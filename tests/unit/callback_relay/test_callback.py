import json
import traceback
from urllib.parse import parse_qsl, quote_plus

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from yarl import URL

from broker_setup.settings import Settings
from broker_setup.wire.results import Result, Tries
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.callback import BadCallbackError, Callback, callback_for
from callback_relay.outcome import NoAnswer
from callback_relay.poster import poster_for
from callback_relay.quoting import quoted

URL_OF_LMS = "https://lms.example:8443/courses/course-v1:X+Y+Z/xqueue/7/b@c/score_update?a=%2Fb+c"
RESULT = Result("0" * 32, b'{"correct": true}', "sealed")


def header(url: object = URL_OF_LMS) -> str:
    return json.dumps({"lms_callback_url": url, "lms_key": "secret", "queue_name": "q"})


@given(lms_header=st.binary(), reply=st.binary())
def test_the_form_is_two_fields_byte_for_byte(lms_header: bytes, reply: bytes) -> None:
    form = Callback(URL(URL_OF_LMS), lms_header, reply).form()
    decoded = parse_qsl(form.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding="latin-1")
    assert [(name, value.encode("latin-1")) for name, value in decoded] == [
        ("xqueue_header", lms_header),
        ("xqueue_body", reply),
    ]


@pytest.mark.parametrize("value", [b"%+ %2B", bytes(range(256)), "\u00e9\U0001f600\r\n\t".encode() * 99, b"\x00"])
def test_values_are_quoted_as_urllib_does(value: bytes) -> None:
    assert quoted(value) == quote_plus(value).encode()


def to_lms(result: Result, lms_header: str) -> Callback:
    return callback_for(result, ReturnAddress(result.submission, lms_header))


def test_the_callback_goes_to_the_url_in_the_header() -> None:
    callback = to_lms(RESULT, header())
    assert str(callback.url) == URL_OF_LMS
    assert (callback.header, callback.body) == (header().encode(), RESULT.body)


def test_a_url_with_other_characters_is_quoted() -> None:
    assert str(to_lms(RESULT, header("http://lms/\u00fc x?\u00fc")).url) == "http://lms/%C3%BC%20x?%C3%BC"


def test_the_origin_tells_neither_path_nor_password() -> None:
    assert to_lms(RESULT, header("http://user:pw@lms:8000/secret/path")).origin == "http://lms:8000"


def test_a_header_keeps_its_spacing_and_its_strange_bytes() -> None:
    strange = ' {"lms_callback_url" : "http://lms/",\r\n "name": "\u00e9\U0001f600\udce9"} '
    assert to_lms(RESULT, strange).header == strange.encode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("lms_header", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no lms_callback_url"),
        ('"text"', "no lms_callback_url"),
        ("{}", "no lms_callback_url"),
        (header(None), "no lms_callback_url"),
        (header(["http://lms/"]), "no lms_callback_url"),
        (header(""), "not an http or https URL"),
        (header("/score_update"), "not an http or https URL"),
        (header("ftp://lms/x"), "not an http or https URL"),
        (header("file:///etc/passwd"), "not an http or https URL"),
        (header("javascript:alert(1)"), "not an http or https URL"),
        (header("http://"), "not an http or https URL"),
        (header("http:///path"), "not an http or https URL"),
        (header("http://lms:99999/"), "can't be read"),
        (header("http://[::1/"), "can't be read"),
        (header("http://l\u200bms/"), "can't be read"),
        (header("http://lms/\ud800"), "can't be read"),
    ],
)
def test_a_header_without_a_usable_url_is_refused(lms_header: str, why: str) -> None:
    with pytest.raises(BadCallbackError, match=why):
        to_lms(RESULT, lms_header)


def test_a_callback_keeps_its_id_over_tries_and_an_amendment_has_another() -> None:
    first, again = (to_lms(replace(RESULT, tries=Tries(made=made)), header()) for made in (0, 3))
    amendment = to_lms(replace(RESULT, amendment=1), header())
    assert first.id == again.id == f"{RESULT.submission}-0"
    assert amendment.id == f"{RESULT.submission}-1"


def test_a_notice_has_an_id_of_its_own_so_that_the_result_after_it_is_no_repeat() -> None:
    assert to_lms(replace(RESULT, notice=True), header()).id == f"{RESULT.submission}-notice"


def test_a_callback_shows_nothing_but_its_id_and_origin() -> None:
    shown = repr(to_lms(RESULT, header("http://user:hunter2@lms/path")))
    assert shown == f"Callback({RESULT.submission}-0 to http://lms)"


@pytest.mark.parametrize("lms_header", ['{"hunter2"', header("http://hunter2:99999/"), header("ftp://hunter2")])
def test_an_error_quotes_nothing_of_the_header_not_even_in_its_cause(lms_header: str) -> None:
    with pytest.raises(BadCallbackError) as caught:
        to_lms(RESULT, lms_header)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["http://lms.invalid:1/x", "http://" + "a" * 300 + "/", "http://a..b/"])
async def test_a_url_that_leads_nowhere_gives_a_reason_and_no_error(url: str) -> None:
    async with poster_for(Settings()) as poster:
        outcome = await poster.post(Callback(URL(url), b"{}", b""))
    assert isinstance(outcome, NoAnswer)
    assert url not in outcome.reason.text


def test_aiohttp_names_the_errors_we_tell_apart() -> None:
    assert issubclass(aiohttp.ClientConnectorDNSError, aiohttp.ClientConnectorError)
    assert issubclass(aiohttp.InvalidURL, aiohttp.ClientError)
