"""What the local stack's processes are told."""

import json
import stat
from pathlib import Path

from broker_setup.settings import Settings
from deploy.local.environment import defaults, secrets_of


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
