"""Ctrl-C ends `xqueue-broker` in a line, from its first moment on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker_setup import __main__ as command
from broker_setup.operator import command_line
from broker_setup.operator.plain_help import PlainTyper

LINE = "xqueue-broker: interrupted\n"


def test_while_a_command_runs_that_has_nothing_to_say_about_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = PlainTyper()

    @app.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "app", app)
    monkeypatch.setattr(sys, "argv", ["xqueue-broker"])
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert (caught.value.code, capsys.readouterr().err) == (1, LINE)


def test_while_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    ran = subprocess.run(
        [sys.executable, "-m", "broker_setup", "count"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", LINE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_a_full_disk_is_a_line_too() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "broker_setup", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith("xqueue-broker: no space is left")
