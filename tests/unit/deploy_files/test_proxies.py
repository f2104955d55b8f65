"""The proxies' examples agree with what the gateway takes, and with how long it takes; their page names them all."""

import re

import pytest

from broker_setup.settings import Settings
from gateway.http.polls import LONGEST_WAIT_SECONDS
from gateway.http.server_config import KEEP_ALIVE_SECONDS
from tests.support.project import ROOT, text

EXAMPLES = sorted(path.name for path in (ROOT / "deploy/proxies").iterdir())
BEST = ["Caddyfile", "haproxy.cfg", "nginx.conf"]
PAGE = text("docs/howto/proxies.md")


def seconds(name: str, setting: str) -> int:
    found = re.findall(rf"^\s*{setting} (\d+)s", text(f"deploy/proxies/{name}"), re.MULTILINE)
    assert len(found) == 1, (name, setting)
    return int(found[0])


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_names_the_example(name: str) -> None:
    assert f"`deploy/proxies/{name}`" in PAGE


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("nginx.conf", "proxy_read_timeout"),
        ("haproxy.cfg", "timeout server"),
        ("haproxy.cfg", "timeout client"),
        ("Caddyfile", "response_header_timeout"),
    ],
)
def test_they_wait_longer_than_the_longest_poll(name: str, setting: str) -> None:
    assert seconds(name, setting) > LONGEST_WAIT_SECONDS + 10


@pytest.mark.parametrize(
    ("name", "setting"),
    [("nginx.conf", "keepalive_timeout"), ("haproxy.cfg", "timeout http-keep-alive"), ("Caddyfile", "keepalive")],
)
def test_they_close_an_idle_connection_before_the_gateway_does(name: str, setting: str) -> None:
    assert seconds(name, setting) < KEEP_ALIVE_SECONDS - 10


def test_they_take_what_the_gateway_takes() -> None:
    fields = Settings.model_fields
    most = fields["max_upload_size"].default + fields["max_form_size"].default
    assert most == 272 * 1024 * 1024
    for name, said in (("nginx.conf", "272m;"), ("nginx-openedx.conf", "272m;"), ("Caddyfile", "272MiB")):
        assert said in text(f"deploy/proxies/{name}")


@pytest.mark.parametrize("name", BEST)
def test_probes_ask_whether_a_gateway_is_ready_and_strangers_can_not(name: str) -> None:
    example = text(f"deploy/proxies/{name}")
    assert "/readyz" in example
    assert "404" in example


def test_nothing_that_was_sent_is_sent_again() -> None:
    without_comments = [
        line.partition("#")[0] for name in EXAMPLES for line in text(f"deploy/proxies/{name}").split("\n")
    ]
    settings = "\n".join(without_comments)
    assert "non_idempotent" not in settings
    assert re.findall(r"retry-on (.*)", settings) == ["conn-failure"]
    assert "lb_retry_match" not in settings
