"""What a grader's URL with http:// or https:// says."""

import pytest

from xqueue_grader.transports.over_http.address import Address, read_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://u:p@h", Address("http://h/xqueue", "u", "p")),
        ("https://u:p@h:8443/xqueue/", Address("https://h:8443/xqueue", "u", "p")),
        (
            "https://u:p%40%2F@[::1]:1/lms/xqueue?cafile=/ca.pem",
            Address("https://[::1]:1/lms/xqueue", "u", "p@/", "/ca.pem"),
        ),
    ],
)
def test_a_url_says_where_the_calls_are_and_who_makes_them(url: str, address: Address) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url", ["http://h/", "http://u@h", "http://u:p@", "http://u:secret/x@h:1", "http://u:p@h/?a=b"]
)
def test_a_url_that_can_not_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"it names no|is no number|behind its") as refused:
        read_address(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(read_address("http://u:secret@h"))
