"""What a grader says as it starts, and what it imports before."""

import subprocess
import sys

import pytest

from tests.support.project import ROOT
from xqueue_grader.grader import Grader
from xqueue_grader.running import run

SCHEMES = "amqp://, amqps://, http://, https://"


@pytest.fixture
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def done(_: Grader) -> None:
        pass

    monkeypatch.setattr(Grader, "run", done)


@pytest.mark.usefixtures("_no_run")
def test_a_grader_whose_broker_nobody_named_says_which_it_takes_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("XQUEUE_AMQP_URL", raising=False)
    run(lambda _: b"", "openedx")
    [message] = caplog.messages
    assert message == (
        "XQUEUE_AMQP_URL is not set: using amqp://127.0.0.1:5672 (nothing was set, so this is the default); "
        "under `make up`: . .local/environment"
    )


@pytest.mark.usefixtures("_no_run")
def test_a_grader_whose_broker_was_named_has_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    run(lambda _: b"", "openedx")
    monkeypatch.delenv("XQUEUE_AMQP_URL")
    run(lambda _: b"", "openedx", url="amqp://u:p@broker.example/")
    assert caplog.messages == []


def test_nothing_of_the_server_is_imported_nor_what_only_some_graders_need() -> None:
    program = "import sys, xqueue_grader; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in printed.stdout.split()}
    assert "xqueue_grader" in imported
    assert not imported & {"broker_setup", "pydantic", "pythonjsonlogger", "prometheus_client", "urllib3", "uvloop"}


def test_a_grader_that_is_told_no_queue_says_so_and_ends() -> None:
    with pytest.raises(SystemExit, match="name at least one queue"):
        run(lambda _: b"")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis://u:secret@broker/", f"the URL must begin with one of {SCHEMES}; it begins with 'redis://'"),
        ("broker.example", f"the URL must begin with one of {SCHEMES}; it begins with 'broker.exa'"),
        ("http://u:secret@", "the URL can't be read: it names no host"),
        ("amqp://u:secret@broker:port/", "the URL can't be read: Port could not be cast to integer value as 'port'"),
    ],
)
def test_a_url_that_can_not_be_used_is_refused_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda _: b"", "openedx", url=url)
    assert str(ended.value) == f"grader: {complaint}"
