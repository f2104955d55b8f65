"""What a grader says as it starts, and what it imports before."""

import subprocess
import sys

import pytest

from broker_setup.grader.script import default_broker_warning, run
from broker_setup.settings import Settings, load_settings
from tests.support.project import ROOT


def test_a_grader_whose_broker_nobody_named_says_which_it_takes_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XQUEUE_AMQP_URL", raising=False)
    assert default_broker_warning(load_settings()[0]) == (
        "XQUEUE_AMQP_URL is not set: using amqp://127.0.0.1:5672 (nothing was set, so this is the default); "
        "under `make up`: . .local/environment"
    )


def test_a_grader_whose_broker_was_named_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    assert default_broker_warning(load_settings()[0]) is None
    assert default_broker_warning(Settings(amqp_url="amqp://u:p@broker.example/")) is None


def test_a_worker_process_does_not_import_what_reads_settings() -> None:
    program = "import sys, broker_setup.grader; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "broker_setup.grader.script" in printed.stdout.split()
    assert not {"broker_setup.settings", "pydantic"} & set(printed.stdout.split())


def test_a_grader_that_is_told_no_queue_says_so_and_ends() -> None:
    with pytest.raises(SystemExit, match="name at least one queue"):
        run(lambda _: b"")
