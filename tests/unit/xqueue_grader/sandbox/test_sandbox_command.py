"""`xqueue-grader sandbox` serves a grader in any language, and says what comes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.project import ROOT

POLLS = """
import json, sys
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener
base, opener = sys.argv[1], build_opener(HTTPCookieProcessor())
def post(call, **form):
    return json.load(opener.open(f"{base}/{call}/", urlencode(form).encode()))["content"]
post("login", username="grader", password="sandbox")
handed = json.loads(json.load(opener.open(f"{base}/get_submission/?queue_name=q"))["content"])
reply = '{"correct": true, "score": 2, "msg": "<b>x"}'
print(post("put_result", xqueue_header=handed["xqueue_header"], xqueue_body=reply))
"""


def test_it_ends_when_what_it_was_given_is_graded_and_says_how(tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("what a student typed")
    command = [sys.executable, "-m", "xqueue_grader", "sandbox", "answer.txt", "--queue", "q", "--until-graded"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "grader"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        address = process.stdout.readline().split("@")[1].strip()
        polls = [sys.executable, "-c", POLLS, f"http://{address}"]
        subprocess.run(polls, check=True, env=environment, capture_output=True)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "submission 1 is graded\n" in said
    assert "correct, 2 points" in said
    assert "<b> is never closed" in said


def test_it_ends_on_sigterm_and_says_by_its_code_that_something_still_waits(tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("what a student typed")
    command = [sys.executable, "-m", "xqueue_grader", "sandbox", "answer.txt", "--like", "original"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "grader")}
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 1
