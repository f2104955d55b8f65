"""How callback URLs are read and judged: on the host that is connected to, whatever the text looks like."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.errors import BadCallbackUrlError
from broker_setup.outbound.callback_urls import (
    LONGEST_URL,
    MOST_NOT_ASCII,
    CallbackOrigins,
    callback_url,
    origin,
    origin_of,
    parsed,
)

LMS = "http://lms.example"
ONLY_LMS = CallbackOrigins([LMS])
ANYWHERE = CallbackOrigins(None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://lms.example/a?b#c", LMS),
        ("HTTP://LMS.Example:80/", LMS),
        ("http://lms.example:080/", LMS),
        ("http://lms.example:/", LMS),
        ("http://user:password@lms.example/", LMS),
        ("http://ⓁMS.example/", LMS),
        ("http://lms.example:8000/", "http://lms.example:8000"),
        ("http://lms.example:443/", "http://lms.example:443"),
        ("https://lms.example:443/", "https://lms.example"),
        ("https://B\u00dcCHER.example/", "https://xn--bcher-kva.example"),
        ("https://XN--BCHER-KVA.example/", "https://xn--bcher-kva.example"),
        ("http://lms.example./", "http://lms.example."),  # "lms." and "lms" may be two hosts
        ("http://[0:0::1]:80/", "http://[::1]"),
        ("http://[FD00:0::1]:8000/", "http://[fd00::1]:8000"),
    ],
)
def test_an_origin_is_scheme_host_and_port_in_one_form(url: str, expected: str) -> None:
    assert origin_of(callback_url(url)) == expected


# What looks like http://lms.example to one who reads quickly, or to another parser.
NOT_THE_LMS = [
    "http://lms.example@evil.example/",
    "http://lms.example:80@evil.example/",
    "http://lms.example:password@evil.example/",
    "http://lms.example%2f@evil.example/",
    "http://lms.example&@evil.example#@lms.example/",
    "http://a@lms.example@evil.example/",
    "http://evil.example#@lms.example/",
    "http://evil.example?@lms.example/",
    "http://evil.example/@lms.example/",
    "http://evil.example\\@lms.example/",
    "http://lms.example\\@evil.example/",
    "http://lms.example\\.evil.example/",
    "http://evil.example\t@lms.example.evil/",
    "http://lms.example\n.evil.example/",
    "http://lms.example.evil.example/",
    "http://evillms.example/",
    "http://lms.example./",
    "http://lms.example../",
    "http://.lms.example/",
    "http://lms.example\u3002evil.example/",
    "http://lms.example\uff0fevil.example/",
    "http://lms.example\u2044evil.example/",
    "http://lms.example%2eevil.example/",
    "http://lms.example%00.evil.example/",
    "http://lms.example\x00.evil.example/",
    "http://lms%2eexample/",
    "http://lms.example,evil.example/",
    "http://lms\u00ad.example/",
    "http://lms\u200b.example/",
    "http://l\u043cs.example/",
    "http://lms.example:81/",
    "http://lms.example:0/",
    "https://lms.example/",
    "https://lms.example:80/",
    "ftp://lms.example/",
    "//lms.example/",
    "lms.example",
    "http:lms.example/",
    "http:/lms.example/",
    "http:///lms.example/",
    "http://[lms.example]/",
    "http://127.0.0.1/",
    "http://[::1]/",
    "",
]


@pytest.mark.parametrize("url", NOT_THE_LMS)
def test_with_a_list_nothing_else_is_taken_for_what_stands_there(url: str) -> None:
    try:
        read = callback_url(url)
    except BadCallbackUrlError:
        return
    assert ONLY_LMS.refusal(read) == f"callbacks to {origin_of(read)} are not allowed"


@given(text=st.text("[]@:/?#.-%\\1é"), rest=st.sampled_from(["", "@", "lms.example", "@lms.example"]))
def test_whatever_signs_a_url_is_made_of_it_is_read_or_refused(text: str, rest: str) -> None:
    with suppress(BadCallbackUrlError):
        ANYWHERE.refusal(callback_url(f"http://{text}{rest}"))


@pytest.mark.parametrize("url", ["http://][@", "https://user[]:password@", "http://[\u00e9]@/"])
def test_brackets_before_no_host_are_a_url_that_cant_be_read(url: str) -> None:
    with pytest.raises(BadCallbackUrlError, match="can't be read"):
        callback_url(url)
    with pytest.raises(ValueError, match="must be an origin"):
        origin(url)


# Each took the library seconds, or stayed in its memory with a hundred like it.
ENDLESS = {
    "accents out of their order": "http://a" + "\u0315" * 20_000 + "\u0300" * 20_000 + "/",
    "one sign that is many": "http://" + "\ufdfa" * 30_000 + "/",
    "as many as a redirect's header had room for": "http://" + "\ufdfa" * 4000 + "/",
    "a path of a million signs": "http://lms.example/" + "\U0001f600" * 1_000_000,
    "a query of a million letters": "http://lms.example/?" + "a" * 1_000_000,
}


@pytest.mark.parametrize("url", ENDLESS.values(), ids=ENDLESS)
def test_a_url_that_is_far_too_long_is_refused_at_once_with_what_is_too_much(url: str) -> None:
    began = time.process_time()
    with pytest.raises(BadCallbackUrlError, match=r"has more than (8192|253) characters"):
        callback_url(url)
    with pytest.raises(ValueError, match="more than"):
        parsed(url)
    assert time.process_time() - began < 0.1


def test_the_longest_urls_are_read() -> None:
    assert callback_url("http://lms.example/".ljust(LONGEST_URL, "a")).raw_host == "lms.example"
    assert callback_url("http://lms.example/" + "\u00e9" * MOST_NOT_ASCII).raw_host == "lms.example"


@given(text=st.text())
def test_whatever_is_allowed_by_a_list_has_the_host_that_stands_there(text: str) -> None:
    for given_url in (f"http://{text}", f"http://{text}lms.example/", f"http://lms.example{text}", f"http:{text}"):
        try:
            url = callback_url(given_url)
        except BadCallbackUrlError:
            continue
        if ONLY_LMS.refusal(url) is None:
            assert ((url.raw_host or "").lower(), url.port, url.scheme) == ("lms.example", 80, "http")


# Each of them is 169.254.169.254 or 127.0.0.1 to some program.
WRITTEN_AS_A_NUMBER = [
    "http://2852039166/",
    "http://2852039166./",
    "http://0xa9fea9fe/",
    "http://0XA9FEA9FE/",
    "http://025177524776/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://0251.0376.0251.0376/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0xa9.254.0251.254/",
    "http://169.254.169.254./",
    "http://00169.254.169.254/",
    "http://169.254.169.0254/",
    "http://425.510.425.510/",
    "http://1.2.3.4.5/",
    "http://127.1/",
    "http://0/",
    "http://0x/",
    "http://7147006462/",  # beyond 32 bits
    "http://\uff12\uff18\uff15\uff12\uff10\uff13\uff19\uff11\uff16\uff16/",
]


@pytest.mark.parametrize("url", WRITTEN_AS_A_NUMBER)
def test_a_host_that_is_written_as_a_number_is_refused(url: str) -> None:
    refusal = ANYWHERE.refusal(callback_url(url))
    assert refusal
    assert refusal.endswith("it is a number that is no plain address")


FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:8000/",
    "http://user@169.254.169.254/",
    "http://lms.example@169.254.169.254/",
    "http://\uff11\uff16\uff19.\uff12\uff15\uff14.169.254/",
    "http://169\u3002254\uff0e169\uff61254/",
    "http://\u2460\u2465\u2468.254.169.254/",
    "http://169.254.169.\t254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::FFFF:A9FE:A9FE]/",
    "http://[0:0:0:0:0:ffff:169.254.169.254]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://255.255.255.255/",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_forbidden_address_is_refused_without_a_list(url: str) -> None:
    parsed = callback_url(url)
    refusal = ANYWHERE.refusal(parsed)
    assert refusal
    assert refusal.startswith(f"callbacks to {origin_of(parsed)} are not allowed: it is ")


def test_a_list_can_not_allow_a_forbidden_address() -> None:
    assert CallbackOrigins(["http://169.254.169.254"]).refusal(callback_url("http://169.254.169.254/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://lms/",
        "http://localhost:8000/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.1.2.3/",
        "https://a.b1/",
    ],
)
def test_names_loopback_and_private_addresses_are_allowed_without_a_list(url: str) -> None:
    assert ANYWHERE.refusal(callback_url(url)) is None


@pytest.mark.parametrize("url", ["http://[fe80::1%25eth0]/", "http://[::1%lo]/", "http://[::ffff:1.2.3]/"])
def test_a_host_with_a_zone_or_half_an_address_can_not_be_read(url: str) -> None:
    with pytest.raises(BadCallbackUrlError, match="can't be read"):
        callback_url(url)


def test_a_host_that_is_longer_than_any_name_can_not_be_read() -> None:
    longest = ".".join(["a" * 63] * 4)[:253]
    assert callback_url(f"http://{longest}/").raw_host == longest
    with pytest.raises(BadCallbackUrlError, match="can't be read"):
        callback_url(f"http://{longest}a/")


@pytest.mark.parametrize("url", ["http://user:hunter2@evil.example/hunter2", "http://hunter2@169.254.169.254/hunter2"])
def test_a_refusal_shows_no_more_than_the_origin(url: str) -> None:
    refusal = ONLY_LMS.refusal(callback_url(url))
    assert refusal
    assert "hunter2" not in refusal


@pytest.mark.parametrize("url", ["http://hunter2,@/", "hunter2", "http://hunter2:99999/", "http://hunter2\u200b/"])
def test_an_error_quotes_nothing_of_the_url_not_even_in_its_cause(url: str) -> None:
    with pytest.raises(BadCallbackUrlError) as caught:
        callback_url(url)
    error = caught.value
    assert "hunter2" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://LMS.Example:443/", "https://lms.example"),
        ("http://lms:8000", "http://lms:8000"),
        ("http://[0::1]", "http://[::1]"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_in_the_settings_gets_its_normal_form(text: str, normal: str) -> None:
    assert origin(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lms.example",
        "*",
        "https://*.lms.example",
        "//lms.example",
        "ftp://lms.example",
        "https://lms.example/path",
        "https://lms.example?a=b",
        "https://lms.example#a",
        "https://user@lms.example",
        "https://user:password@lms.example",
        "https://lms.example:0",
        "https://lms.example:99999",
        " https://lms.example",
        "https://lms.\texample",
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://127.1",
    ],
)
def test_what_is_no_origin_is_refused_in_the_settings(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an origin|names a"):
        origin(text)
