"""Logins over HTTP: throttling, proxies, the session cookie behind TLS, changed passwords and rotated secrets."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from argon2 import PasswordHasher

from gateway.callers.accounts import GUESSES_OF_ACCOUNT
from tests.support.broker import VHost
from tests.support.gateway import SECRET_KEY, USERS, Client, Gateway, running_gateway
from tests.support.tokens import HS_SECRET, ISSUER, symmetric

# Cheap to verify: what it costs is the unit tests' matter.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASHED, WORD = "hashed", "the hashed account's password"
PROXIED = {"X-Forwarded-For": "192.0.2.7"}
ELSEWHERE = {"X-Forwarded-For": "192.0.2.8"}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "XQUEUE_USERS": json.dumps(USERS | {HASHED: CHEAP.hash(WORD), "other": "another password"}),
        # The tests are the proxy, and say where requests come from.
        "XQUEUE_TRUSTED_PROXIES": '["127.0.0.1"]',
        "XQUEUE_PUBLIC_URL": "https://xqueue.example",
    }


def login(gateway: Gateway, name: str, password: str, headers: Mapping[str, str]) -> requests.Response:
    with Client(gateway.url, basic=False) as client:
        return client.raw("POST", "login/", data={"username": name, "password": password}, headers=headers)


def throttle(gateway: Gateway, name: str, headers: Mapping[str, str]) -> requests.Response:
    """Guess until guesses are not looked at any more; return what is said then."""
    for number in range(GUESSES_OF_ACCOUNT):
        answer = login(gateway, name, f"guess {number}", headers)
        assert answer.json() == {"return_code": 1, "content": "Incorrect login credentials"}
    return login(gateway, name, "one more", headers)


@pytest.mark.parametrize(("name", "password"), [(HASHED, WORD), ("other", "another password"), ("nobody", "x")])
def test_guessing_is_answered_with_when_to_try_again_and_locks_nobody_out(
    name: str, password: str, gateway: Gateway
) -> None:
    answer = throttle(gateway, name, PROXIED)
    assert answer.status_code == 429
    seconds = int(answer.headers["retry-after"])
    assert 200 < seconds <= 301
    said = {"return_code": 1, "content": f"Too many failed logins, try again in {seconds} seconds"}
    assert answer.json() == said
    # Not even the right one, or guessing would go on; but it works from elsewhere, and others' work from here.
    assert login(gateway, name, password, PROXIED).status_code == 429
    expected = "Incorrect login credentials" if name == "nobody" else "Logged in"
    assert login(gateway, name, password, ELSEWHERE).json()["content"] == expected
    assert login(gateway, "lms", USERS["lms"], PROXIED).json()["content"] == "Logged in"


def test_basic_auth_is_throttled_with_the_login_and_a_session_goes_on(gateway: Gateway) -> None:
    here = {"X-Forwarded-For": "192.0.2.20"}
    with Client(gateway.url, basic=False) as client:
        client.session.headers.update(here)
        assert client.login("grader") == (0, "Logged in")
        throttle(gateway, "grader", here)
        poll = {"params": {"queue_name": "openedx"}, "auth": ("grader", USERS["grader"])}
        assert client.raw("GET", "get_queuelen/", **poll).status_code == 200, "the session counts"
        client.session.cookies.clear()
        assert client.raw("GET", "get_queuelen/", **poll).status_code == 429
        assert client.raw("GET", "get_queuelen/", auth=("lms", USERS["lms"])).status_code == 200


def test_only_the_last_hop_of_an_untrusted_chain_counts(gateway: Gateway) -> None:
    def claiming(number: int) -> dict[str, str]:
        return {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.30"}

    for number in range(GUESSES_OF_ACCOUNT):
        assert login(gateway, "other", f"guess {number}", claiming(number)).status_code == 200
    assert login(gateway, "other", "one more", claiming(99)).status_code == 429


def test_a_foreign_gate_is_ignored_however_often_it_comes(gateway: Gateway) -> None:
    with Client(gateway.url, basic=False) as client:
        answers = {client.raw("GET", "get_queuelen/", auth=("gate", "its password")).status_code for _ in range(50)}
    assert answers == {302}


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"Host": "xqueue.example"}, True),
        ({"Host": "xqueue.internal:18040"}, False),
    ],
)
def test_the_cookie_is_secure_where_the_request_came_over_tls(
    headers: dict[str, str], gateway: Gateway, *, secure: bool
) -> None:
    answer = login(gateway, "lms", USERS["lms"], headers)
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert ("secure" in flags) is secure
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    with Client(gateway.url, basic=False) as client:
        gone = client.raw("GET", "logout/", headers=headers).headers["set-cookie"].lower()
    assert ("secure" in gone) is secure


@pytest.fixture
def run(module_vhost: VHost, tmp_path: Path) -> Any:
    """Run another gateway with other settings."""

    def running(**settings: str) -> AbstractContextManager[Gateway]:
        named = {f"XQUEUE_{key}": value for key, value in settings.items()}
        return running_gateway(module_vhost.amqp_url, tmp_path, settings=named)

    return running


def test_nobody_is_believed_where_no_proxy_is_trusted(run: Any) -> None:
    with run() as gateway:
        for number in range(GUESSES_OF_ACCOUNT):
            claimed = {"X-Forwarded-For": f"192.0.2.{number}", "X-Forwarded-Proto": "https"}
            assert login(gateway, "lms", f"guess {number}", claimed).status_code == 200
        assert login(gateway, "lms", "one more", PROXIED).status_code == 429
        cookie = login(gateway, "grader", USERS["grader"], {"X-Forwarded-Proto": "https"}).headers["set-cookie"]
        assert "secure" not in cookie.lower()
        assert gateway.log.count("127.0.0.1 sends X-Forwarded-For and is not in TRUSTED_PROXIES") == 1


def test_sessions_outlive_a_rotated_secret_and_end_with_their_password(run: Any) -> None:
    new_key = SECRET_KEY[::-1]
    with closing(requests.Session()) as kept:
        with run() as gateway:
            cookies = {name: login(gateway, name, USERS[name], {}).cookies["sessionid"] for name in USERS}
        with run(
            SECRET_KEY=new_key,
            SECRET_KEY_FALLBACKS=json.dumps([SECRET_KEY]),
            USERS=json.dumps(USERS | {"grader": "changed"}),
        ) as gateway:
            answers = {
                name: kept.get(
                    f"{gateway.url}/xqueue/get_queuelen/",
                    cookies={"sessionid": cookie},
                    allow_redirects=False,
                    timeout=10,
                ).status_code
                for name, cookie in cookies.items()
            }
    assert answers == {"lms": 200, "grader": 302}


def test_secrets_may_stand_in_files_and_slips_in_lists_are_said_at_the_start(run: Any, tmp_path: Path) -> None:
    for name, content in {"key": HS_SECRET, "lms": USERS["lms"]}.items():
        (tmp_path / name).write_text(f"{content}\n")
    users = {"lms": {"file": str(tmp_path / "lms")}, "grader": USERS["grader"]}
    with run(
        JWT_SECRET_KEY_FILE=str(tmp_path / "key"),
        JWT_ISSUERS=json.dumps([ISSUER]),
        USERS=json.dumps(users),
        QUEUE_ACCESS='{"openedx": {"producers": ["lsm"], "consumers": ["grader"]}}',
    ) as gateway:
        with Client(gateway.url, "lms") as lms:
            assert (
                lms.call("GET", "get_queuelen/", params={"queue_name": "openedx"})[1] == "Valid queue names are: other"
            )
            lms.session.auth = None
            lms.session.headers["Authorization"] = f"JWT {symmetric('xqueue:submit')}"
            assert lms.queuelen("other") == 0
        assert "QUEUE_ACCESS[openedx] names 'lsm', of no account in USERS" in gateway.log
