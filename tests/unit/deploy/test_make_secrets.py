"""The secrets of a site on Kubernetes: all made at once, once, and for their owner alone."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

from broker_setup.settings import Settings
from deploy.kubernetes.make_secrets import make_secrets
from tests.support.project import ROOT, text


def of(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_what_the_example_names_is_made_but_for_what_only_a_site_knows(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets", "broker.example")
    example = text("deploy/kubernetes/overlays/example/kustomization.yaml")
    of_the_site = {"setup-amqp-url", "setup-management-url", "upload-options.json", "upstream-passwords.json"}
    assert set(re.findall(r"=secrets/(\S+)", example)) == set(of(tmp_path / "secrets")) | of_the_site


def test_every_secret_is_another_and_strong_enough(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets", "broker.example")
    made = of(tmp_path / "secrets")
    users, passwords = json.loads(made["users.json"]), json.loads(made["broker-passwords.json"])
    assert set(passwords) == set(Settings().broker_users.values())
    secrets = [made["secret-key"], *users.values(), *passwords.values()]
    assert len(set(secrets)) == len(secrets)
    Settings(secret_key=made["secret-key"], users=users)
    for role in ("gateway", "relay", "passive"):
        assert made[f"{role}-amqp-url"] == f"amqp://xqueue-{role}:{passwords[f'xqueue-{role}']}@broker.example:5672/"


def test_they_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets", "broker.example")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()} == {0o600}


def test_what_is_there_stays_and_what_is_missing_fits_to_it(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets", "broker.example")
    before = of(tmp_path / "secrets")
    for name in ("relay-amqp-url", "users.json"):
        (tmp_path / "secrets" / name).unlink()
    assert make_secrets(tmp_path / "secrets", "broker.example") == ["relay-amqp-url", "users.json"]
    after = of(tmp_path / "secrets")
    assert after.pop("users.json") != before.pop("users.json")
    assert after == before


def test_the_command_says_what_it_made_and_needs_an_overlay(tmp_path: Path) -> None:
    def run() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "deploy.kubernetes.make_secrets", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    refused = run()
    assert refused.returncode == 2
    assert "has no kustomization.yaml" in refused.stderr
    (tmp_path / "kustomization.yaml").touch()
    assert "secret-key" in run().stdout
    assert "nothing, all of it is there" in run().stdout


def test_they_stay_out_of_version_control() -> None:
    assert "secrets/" in text("deploy/kubernetes/overlays/.gitignore").split("\n")
