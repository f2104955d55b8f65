"""When the virtual environment is up to date."""

import json
from pathlib import Path

import pytest

from deploy.local import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an environment in it that does not really work but looks like it."""
    (tmp_path / "deploy/requirements").mkdir(parents=True)
    for kind in ("run", "dev"):
        (tmp_path / f"deploy/requirements/{kind}.txt").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text('[project.scripts]\nxqueue-gateway = "gateway.__main__:main"\n')
    (tmp_path / "grader").mkdir()
    graders = '[project.scripts]\nxqueue-grader = "xqueue_grader.__main__:main"\n'
    (tmp_path / "grader/pyproject.toml").write_text(graders)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "PATHS", (str(tmp_path), str(tmp_path / "grader")))
    for name, path in (("VENV", ".venv"), ("PYTHON", ".venv/bin/python"), ("STAMP", ".venv/xqueue.json")):
        monkeypatch.setattr(bootstrap, name, tmp_path / path)
    return tmp_path


def stamp(kind: str) -> None:
    bootstrap.STAMP.write_text(json.dumps({"kind": kind, "fingerprint": bootstrap._fingerprint(kind)}))


def test_an_environment_without_a_stamp_is_made_anew(checkout: Path) -> None:
    assert not bootstrap._up_to_date("run")


def test_one_for_development_will_do_for_running_but_not_the_other_way_round(checkout: Path) -> None:
    stamp("dev")
    assert bootstrap._up_to_date("run")
    assert bootstrap._up_to_date("dev")
    stamp("run")
    assert not bootstrap._up_to_date("dev")


def test_other_pins_make_it_anew(checkout: Path) -> None:
    stamp("run")
    (checkout / "deploy/requirements/run.txt").write_text("a==2\n")
    assert not bootstrap._up_to_date("run")


def test_a_moved_checkout_makes_it_anew(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp("run")
    monkeypatch.setattr(bootstrap, "VENV", checkout / "elsewhere/.venv")
    assert not bootstrap._up_to_date("run")


def test_the_commands_run_their_modules(checkout: Path) -> None:
    assert bootstrap._commands() == {"xqueue-gateway": "gateway", "xqueue-grader": "xqueue_grader"}


@pytest.mark.parametrize("folder", ["my xqueue", "für mich"])
def test_a_folder_that_no_broker_runs_in_is_refused_before_anything_is_installed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(bootstrap, "_install", lambda kind, _cache: installed.append(kind))
    monkeypatch.setattr("sys.argv", ["bootstrap", "run"])
    monkeypatch.setenv("XQUEUE_DATA_DIR", str(checkout / folder))
    with pytest.raises(SystemExit, match=f"RabbitMQ can't run in .*{folder}: set XQUEUE_DATA_DIR"):
        bootstrap.main()
    assert installed == []
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://elsewhere")
    bootstrap.main()
    assert installed == ["run"]
