"""What the local stack's processes are told."""

import json
import stat
import subprocess
from pathlib import Path

import pytest

from broker_setup.settings import Settings
from deploy.local.environment import defaults, operator_environment, secrets_of


def test_by_default_one_account_and_the_queue_of_tutors_hello_world(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)
    ours = defaults(set(), tmp_path, secrets)
    assert json.loads(ours["XQUEUE_USERS"]) == {"lms": secrets.password}
    assert json.loads(ours["XQUEUE_XQUEUES"]) == {"openedx": None}


def test_what_the_user_has_set_is_left_alone(tmp_path: Path) -> None:
    ours = defaults({"users", "secret_key"}, tmp_path, secrets_of(tmp_path))
    assert {"XQUEUE_USERS", "XQUEUE_SECRET_KEY"}.isdisjoint(ours)
    assert "XQUEUE_XQUEUES" in ours


def test_every_default_is_a_setting_that_exists(tmp_path: Path) -> None:
    ours = defaults(set(), tmp_path, secrets_of(tmp_path))
    assert {name.removeprefix("XQUEUE_").lower() for name in ours} <= set(Settings.model_fields)


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    first = secrets_of(tmp_path)
    assert secrets_of(tmp_path) == first
    assert first.secret_key != first.password
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def sourced(file: Path, name: str) -> str:
    script = '. "$1"; printenv "$2"'
    command = ["sh", "-c", script, "sh", str(file), name]
    return subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True).stdout


def test_the_operators_file_is_private_and_gives_a_shell_what_the_processes_were_told(tmp_path: Path) -> None:
    odd = "amqp://u:it's $HOME`id`@127.0.0.1/"
    told = {"XQUEUE_AMQP_URL": odd, "XQUEUE_XQUEUES": '{"open edx": null}', "XQUEUE_PORT": "1", "OTHER": "x"}
    with operator_environment(tmp_path, told) as file:
        assert file == tmp_path / "environment"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sourced(file, "XQUEUE_AMQP_URL") == f"{odd}\n"
        assert sourced(file, "XQUEUE_XQUEUES") == '{"open edx": null}\n'
        assert sourced(file, "XQUEUE_PORT") == "1\n"
        assert "OTHER" not in file.read_text()


def test_the_operators_file_goes_with_the_stack(tmp_path: Path) -> None:
    with operator_environment(tmp_path, {"XQUEUE_XQUEUES": "{}"}) as file:
        pass
    assert not file.exists()


def test_the_operators_file_names_a_settings_file_that_every_folder_finds(tmp_path: Path) -> None:
    with operator_environment(tmp_path, {"XQUEUE_CFG": "xqueue.yml"}) as file:
        assert sourced(file, "XQUEUE_CFG") == f"{Path('xqueue.yml').resolve()}\n"


def test_the_operators_file_has_every_setting_that_the_stack_was_told(tmp_path: Path) -> None:
    told = {f"XQUEUE_{name.upper()}": f"of {name}" for name in Settings.model_fields}
    with operator_environment(tmp_path, told) as file:
        assert {line.partition("=")[0] for line in file.read_text().splitlines()} == {f"export {name}" for name in told}


@pytest.mark.parametrize("name", ["XQUEUE_UPLOAD_PATH", "XQUEUE_BROKER_CA_BUNDLE", "XQUEUE_SECRET_KEY_FILE"])
def test_the_operators_file_names_places_that_every_folder_finds(tmp_path: Path, name: str) -> None:
    with operator_environment(tmp_path, {name: "a place"}) as file:
        assert sourced(file, name) == f"{Path('a place').resolve()}\n"
