"""`completion` prints what makes a shell complete our commands, options and arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker_setup.operator.completion import Shell, completion

PROGRAM = f"""#!{sys.executable}
import runpy, sys
sys.path.insert(0, {str(Path.cwd())!r})
runpy.run_module("broker_setup", run_name="__main__")
"""
# What bash does at a Tab, with the words so far.
TAB = """
source completion
COMP_WORDS=(xqueue-broker {words} "")
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_xqueue_broker_completion xqueue-broker
echo "${{COMPREPLY[@]}}"
complete -p xqueue-relay
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "xqueue-broker"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("shell", Shell)
def test_each_shell_is_given_the_names_of_all_commands(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    completion(shell)
    printed = capsys.readouterr().out
    assert f"_XQUEUE_BROKER_COMPLETE=complete_{shell}" in printed
    for name in ("xqueue-broker", "xqueue-gateway", "xqueue-relay", "xqueue-passive", "xqueue-console"):
        assert name in printed


def test_bash_completes_an_argument(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    completion(Shell.BASH)
    (folder / "completion").write_text(capsys.readouterr().out)
    ran = subprocess.run(
        ["bash", "-c", TAB.format(words="check-settings")],
        cwd=folder,
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answered, services = ran.stdout.splitlines()
    assert answered.split() == ["gateway", "relay", "passive", "upstream", "console"]
    assert services == "complete -W '--help --version' xqueue-relay"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_command_answers_what_other_shells_ask(shell: str, folder: Path) -> None:
    asked = {
        "_XQUEUE_BROKER_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "xqueue-broker check-settings ga",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ran = subprocess.run(
        ["xqueue-broker"],
        executable=folder / "xqueue-broker",
        env=asked | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "gateway" in ran.stdout
    assert "relay" not in ran.stdout
