"""Where the local stack finds what it runs."""

from deploy.local.stack import reachable


def test_a_gateway_that_listens_everywhere_is_reached_on_the_loopback() -> None:
    assert [reachable(host) for host in ("127.0.0.1", "0.0.0.0", "::", "::1")] == [
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "[::1]",
    ]
