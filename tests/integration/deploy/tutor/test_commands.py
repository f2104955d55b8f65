"""`tutor xqueue submissions` against a real gateway: what ours print, and what those of tutor-xqueue print."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import VHost
from tests.support.gateway import USERS, Client, Gateway, lms_header, running_gateway
from tests.support.tutor import Said, Tutor, packages_of

BODY = json.dumps({"student_response": "print('é')", "grader_payload": '{"a": 1}', "student_info": "{}"})
GRADE = ("0.5", "true", "<p>good é</p>")
COMMANDS: list[list[str]] = [
    ["count"],
    ["show"],
    ["grade", "{id}", "wrong", *GRADE],
    ["grade", "{id}", "{key}", *GRADE],
    ["grade", "{id}", "{key}", *GRADE],
    ["grade", "17", "{key}", *GRADE],
    ["count"],
    ["show"],
    ["-q", "nix", "count"],
    ["-q", "nix", "show"],
    ["grade", "{id}", "{key}", "much", "true", "x"],
    ["grade", "{id}", "{key}", "1", "maybe", "x"],
]


@pytest.fixture
def gateway(vhost: VHost, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(vhost.amqp_url, tmp_path) as started:
        yield started


def root_of(folder: Path) -> Path:
    folder.mkdir()
    # Else each command makes an RSA key: some seconds.
    (folder / "config.yml").write_text(
        f"PLUGINS: [xqueue]\nXQUEUE_AUTH_PASSWORD: {json.dumps(USERS['lms'])}\nJWT_RSA_PRIVATE_KEY: none\n"
    )
    return folder


def hand_in(gateway: Gateway, body: str) -> None:
    with Client(gateway.url) as lms:
        files = {"task.py": ("task.py", b"print(1)")}
        assert lms.submit(lms_header(), body, files=files) == (0, "1")


def said(tutor: Tutor, url: str, more: list[dict[str, object]]) -> list[Said]:
    given = [{"args": ["xqueue", "submissions", *command], "env": {"TUTOR_XQUEUE_URL": url}} for command in COMMANDS]
    return tutor.run(*given, *more)


def alike(text: str) -> str:
    """Leave out what is another for each submission."""
    text = re.sub(r'"id": \d+', '"id": ID', text)
    text = re.sub(r'"key": "[0-9a-f]{32}"', '"key": KEY', text)
    return re.sub(r"/xqueue/files/[^/]+/", "/xqueue/files/SEAL/", text)


def test_they_print_what_those_of_tutor_xqueue_print(
    gateway: Gateway, ours: Path, theirs: Path, tmp_path: Path
) -> None:
    refused: dict[str, object] = {
        "args": ["xqueue", "submissions", "-u", gateway.url, "count"],
        "env": {"TUTOR_XQUEUE_AUTH_PASSWORD": "wrong"},
    }
    hand_in(gateway, BODY)
    before = said(Tutor(theirs, root_of(tmp_path / "theirs")), gateway.url, [refused])
    hand_in(gateway, BODY)
    now = said(Tutor(ours, root_of(tmp_path / "ours")), gateway.url, [refused])
    for command, one, other in zip([*COMMANDS, ["refused"]], before, now, strict=True):
        assert alike(other.out) == alike(one.out), command
        assert other.code == one.code, command
    assert alike(before[1].out).count("SEAL") == 1
    assert "Could not login to xqueue server at" in before[-1].err
    assert now[-1].err.splitlines()[-1] == before[-1].err.splitlines()[-1]


def test_what_ends_in_a_traceback_there_is_a_sentence_here(gateway: Gateway, ours: Path, tmp_path: Path) -> None:
    hand_in(gateway, "no JSON")
    base = ["xqueue", "submissions", "-u"]
    shown, gone, other, nowhere = Tutor(ours, root_of(tmp_path / "site")).run(
        [*base, gateway.url, "show"],
        [*base, "http://127.0.0.1:1", "count"],
        [*base, f"{gateway.url}/healthz", "count"],
        [*base, "nowhere", "count"],
    )
    assert json.loads(shown.out)["body"] == "no JSON"
    assert [each.code for each in (gone, other, nowhere)] == [1, 1, 1]
    assert gone.err.startswith("Error: nothing answers at http://127.0.0.1:1/xqueue/login/: is it running")
    assert "answers HTTP 404, which is no answer of XQueue's" in other.err
    assert nowhere.err.startswith("Error: nowhere/xqueue/login/ can't be called: ")


def test_both_plugins_at_once_stop_every_command_and_say_what_to_uninstall(
    ours: Path, theirs: Path, tmp_path: Path
) -> None:
    tutor = Tutor(ours, root_of(tmp_path / "site"), {"PYTHONPATH": str(packages_of(theirs))})
    [said] = tutor.run(["config", "save"])
    assert said.code == 1
    assert "pip uninstall tutor-xqueue" in said.err
