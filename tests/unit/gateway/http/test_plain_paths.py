"""Doubled slashes mean one, and escaped ones none."""

import pytest

from gateway.http.plain_paths import plain_path


@pytest.mark.parametrize(
    ("path", "raw", "routed"),
    [
        ("/xqueue/login/", b"/xqueue/login/", "/xqueue/login/"),
        ("//xqueue/login/", b"//xqueue/login/", "/xqueue/login/"),
        ("/xqueue///put_result//", b"/xqueue///put_result//", "/xqueue/put_result/"),
        ("/xqueue/login/", b"/xqueue%2Flogin/", "/xqueue%2Flogin/"),
        ("/xqueue/login/", b"/xqueue/login%2f", "/xqueue/login%2f"),
        ("/xqueue/login/\n", b"/xqueue/login/%0a", "/xqueue/login/%0a"),
        ("/xqueue/log in/", b"/xqueue/log%20in/", "/xqueue/log in/"),
        ("/xqueue/files/token/a", b"/xqueue%2ffiles/token/a", "/xqueue%2ffiles/token/a"),
        ("/xqueue/files/token/a/b", b"/xqueue/files/token/a%2fb", "/xqueue/files/token/a/b"),
    ],
)
def test_which_path_is_routed(path: str, raw: bytes, routed: str) -> None:
    assert plain_path(path, raw) == routed
