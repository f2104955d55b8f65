"""Where a request comes from, and whether its connection is encrypted."""

import pytest
from starlette.requests import Request

from gateway.callers.origin import address_of, came_over_tls


def request(host: str | None = "192.0.2.1", *, scheme: str = "http", asked: str = "xqueue:18040") -> Request:
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "scheme": scheme,
            "server": ("127.0.0.1", 18040),
            "client": (host, 1) if host else None,
            "headers": [(b"host", asked.encode())],
        }
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", "unix:"),
        ("x" * 1000, "x" * 64),
        (None, ""),
    ],
)
def test_guesses_are_counted_by_address_and_of_ipv6_by_its_network(host: str | None, address: str) -> None:
    assert address_of(request(host)) == address


@pytest.mark.parametrize(
    ("scheme", "public_url", "asked", "tls"),
    [
        ("http", None, "xqueue:18040", False),
        ("https", None, "xqueue:18040", True),
        ("https", "http://xqueue.example", "xqueue.example", True),
        ("http", "http://xqueue.example", "xqueue.example", False),
        ("http", "https://xqueue.example", "xqueue.example", True),
        ("http", "https://xqueue.example", "XQueue.Example", True),
        ("http", "https://xqueue.example", "xqueue:18040", False),
        ("http", "https://xqueue.example", "", False),
    ],
)
def test_a_connection_is_encrypted_where_it_says_so_or_by_the_public_name(
    scheme: str, public_url: str | None, asked: str, *, tls: bool
) -> None:
    assert came_over_tls(request(scheme=scheme, asked=asked), public_url) is tls
