"""Tokens over HTTP: what a refused one reads, that it is told nothing else, and that keys change without a restart."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.broker import VHost
from tests.support.gateway import Client, Gateway, lms_header, running_gateway
from tests.support.project import text
from tests.support.raw_http import connection
from tests.support.tokens import (
    AUDIENCE,
    HS_SECRET,
    ISSUER,
    KID,
    asymmetric,
    jwks,
    signed_with_the_public_key,
    symmetric,
    unsigned,
)

SUBMIT, SCORE = "xqueue:submit", "xqueue:score"
PAGE = text("docs/reference/access.md")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps(jwks()))
    return path


@pytest.fixture(scope="module")
def settings(keys: Path) -> dict[str, str]:
    return {
        "XQUEUE_JWT_PUBLIC_JWKS_FILE": str(keys),
        "XQUEUE_JWT_ISSUERS": json.dumps([ISSUER]),
        "XQUEUE_JWT_AUDIENCE": AUDIENCE,
        "XQUEUE_LOG_LEVEL": "DEBUG",
    }


def ask(gateway: Gateway, token: str, scheme: str = "JWT", **options: Any) -> requests.Response:
    with Client(gateway.url, basic=False) as client:
        headers = {"Authorization": f"{scheme} {token}"}
        return client.raw("GET", "get_queuelen/", params={"queue_name": "openedx"}, headers=headers, **options)


@pytest.mark.parametrize("scheme", ["JWT", "Bearer", "jwt", "BEARER"])
def test_a_token_needs_no_session_and_opens_none(scheme: str, gateway: Gateway) -> None:
    answer = ask(gateway, asymmetric(SCORE), scheme)
    assert (answer.status_code, answer.json()["return_code"]) == (200, 0)
    assert "set-cookie" not in answer.headers


def test_with_tokens_alone_work_is_handed_in_taken_and_graded(gateway: Gateway) -> None:
    with Client(gateway.url, basic=False) as lms, Client(gateway.url, basic=False) as grader:
        lms.session.headers["Authorization"] = f"JWT {asymmetric(SUBMIT, preferred_username='lms_worker')}"
        grader.session.headers["Authorization"] = f"Bearer {asymmetric(SCORE, preferred_username='grader_worker')}"
        assert lms.submit(lms_header(), "work") == (0, "1")
        taken = grader.get(wait=5)
        assert taken
        assert grader.put(taken["xqueue_header"], "reply") == (0, "")


BAD = {
    "expired": (asymmetric(SCORE, exp=1), "expired"),
    "future": (asymmetric(SCORE, iat=4_000_000_000, exp=4_000_003_600), "not yet valid"),
    "wrong issuer": (asymmetric(SCORE, iss="https://evil.example"), "issuer"),
    "wrong audience": (asymmetric(SCORE, aud="another"), "audience"),
    "no audience": (asymmetric(SCORE, aud=None), "claim"),
    "no algorithm": (unsigned(SCORE), "algorithm"),
    "public key as secret": (signed_with_the_public_key(SCORE), "algorithm"),
    "symmetric": (symmetric(SCORE), "algorithm"),
    "unknown key": (asymmetric(SCORE, kid="unknown"), "key"),
    "stranger's key": (asymmetric(SCORE, key="a stranger's", kid=KID), "signature"),
    "higher version": (asymmetric(SCORE, version="1.3.0"), "version"),
    "no name": (asymmetric(SCORE, preferred_username=None), "claim"),
    "no scope": (asymmetric("email"), "scope"),
    "nothing": ("", "malformed"),
    "no token": ("opaque-access-token", "malformed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_with_its_reason_and_not_logged(name: str, gateway: Gateway) -> None:
    token, reason = BAD[name]
    answer = ask(gateway, token)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.json() == {"return_code": 1, "content": f"Token refused: {reason}"}
    kind = "insufficient_scope" if reason == "scope" else "invalid_token"
    assert answer.headers["www-authenticate"] == f'Bearer error="{kind}", error_description="{reason}"'
    assert f"/xqueue/get_queuelen/ from 127.0.0.1: Token refused: {reason}" in gateway.log
    assert not any(part in gateway.log for part in token.split(".") if len(part) > 10)


def test_the_page_has_every_reason() -> None:
    section = PAGE.split("| reason |")[1].split("\n\n")[0]
    assert {reason for _, reason in BAD.values()} == set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


def test_no_session_makes_up_for_a_bad_token(gateway: Gateway) -> None:
    with Client(gateway.url, basic=False) as client:
        assert client.login() == (0, "Logged in")
        assert client.queuelen() == 0
        answer = client.raw("GET", "get_queuelen/", headers={"Authorization": f"JWT {BAD['expired'][0]}"})
        assert answer.status_code == 401
        assert client.queuelen() == 0


def test_two_tokens_are_one_too_many_also_where_basic_auth_comes_first(gateway: Gateway) -> None:
    good, both = asymmetric(SCORE), []
    for first, second in ((f"JWT {good}", f"JWT {good}"), ("Basic bG1zOng=", "JWT x")):
        with connection(gateway.url) as raw:
            raw.send(
                f"GET /xqueue/get_queuelen/?queue_name=openedx HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: {first}\r\nAuthorization: {second}\r\n\r\n".encode()
            )
            both.append(raw.answer().status)
    assert both == [401, 401]


def test_the_refusal_comes_only_after_the_whole_body_was_read(gateway: Gateway) -> None:
    with connection(gateway.url) as slow:
        slow.send(
            f"POST /xqueue/submit/ HTTP/1.1\r\nHost: x\r\nAuthorization: JWT {BAD['expired'][0]}\r\n"
            "Content-Length: 10\r\n\r\n12345".encode()
        )
        assert slow.is_silent_for(0.4), "answered before the body had ended"
        slow.send(b"67890")
        assert slow.answer().status == 401


def test_calls_that_ask_nobody_who_they_are_do_not_look_at_tokens(gateway: Gateway) -> None:
    with Client(gateway.url, basic=False) as client:
        client.session.headers["Authorization"] = "JWT x"
        assert client.call("GET", "status/") == (0, "OK")
        assert client.call("GET", "login/") == (1, "login_required")
        assert client.login() == (0, "Logged in")


def test_new_keys_are_taken_without_a_restart_and_broken_ones_change_nothing(gateway: Gateway, keys: Path) -> None:
    new = asymmetric(SCORE, key="new", kid="new")
    try:
        assert ask(gateway, new).status_code == 401
        keys.write_text(json.dumps(jwks(KID, "new")))
        assert [ask(gateway, token).status_code for token in (new, asymmetric(SCORE))] == [200, 200]
        keys.write_text("{")
        assert ask(gateway, new).status_code == 200
        assert "is not JSON; its earlier keys stay" in gateway.log
        keys.write_text(json.dumps(jwks("new")))
        assert [ask(gateway, token).status_code for token in (new, asymmetric(SCORE))] == [200, 401]
    finally:
        keys.write_text(json.dumps(jwks()))


@pytest.fixture
def run(module_vhost: VHost, tmp_path: Path) -> Any:
    """Run another gateway with other settings."""

    def running(**settings: str) -> Any:
        named = {f"XQUEUE_{key}": value for key, value in settings.items()}
        return running_gateway(module_vhost.amqp_url, tmp_path, settings=named)

    return running


def test_the_pages_example_makes_a_key_and_a_token_that_work(run: Any, tmp_path: Path) -> None:
    code = PAGE.split("```python\n")[1].split("```")[0]
    made = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    token = made.stdout.strip()
    with run(JWT_PUBLIC_JWKS_FILE=str(tmp_path / "jwks.json"), JWT_ISSUERS=json.dumps([ISSUER])) as gateway:
        answer = ask(gateway, token)
        assert (answer.status_code, answer.json()) == (200, {"return_code": 0, "content": 0})


def test_symmetric_tokens_work_where_they_are_switched_on_and_asymmetric_ones_then_do_not(run: Any) -> None:
    with run(JWT_SECRET_KEY=HS_SECRET, JWT_ISSUERS=json.dumps([ISSUER])) as gateway:
        assert ask(gateway, symmetric(SCORE)).status_code == 200
        assert ask(gateway, asymmetric(SCORE)).json()["content"] == "Token refused: algorithm"
        assert ask(gateway, symmetric(SCORE, secret="x" * 40)).json()["content"] == "Token refused: signature"


def test_keys_that_cannot_be_used_stop_the_start(gateway: Gateway, tmp_path: Path) -> None:
    broken = Gateway(
        gateway.amqp_url,
        tmp_path,
        settings={"XQUEUE_JWT_PUBLIC_JWKS_FILE": "/nowhere/jwks.json", "XQUEUE_JWT_ISSUERS": json.dumps([ISSUER])},
    )
    with pytest.raises(AssertionError, match=r"JWT_PUBLIC_JWKS_FILE: /nowhere/jwks.json: No such file or directory"):
        broken.start()
