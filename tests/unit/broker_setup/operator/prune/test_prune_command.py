"""What `prune-files` says of a place where the gateways' files are not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker_setup.errors import StorageError
from broker_setup.operator.command_line import app
from broker_setup.operator.prune import command

CLI = CliRunner()


@pytest.fixture(autouse=True)
def _empty_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "read_ledger", lambda _url, _take: None)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_UPLOAD_PATH", str(tmp_path / "wrong"))
    with pytest.raises(StorageError, match="there is no folder"):
        CLI.invoke(app, ["prune-files"], catch_exceptions=False)
    assert not (tmp_path / "wrong").exists()


def test_a_folder_of_other_files_is_asked_about_and_they_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_UPLOAD_PATH", str(tmp_path))
    (tmp_path / "thesis").write_text("mine")
    ran = CLI.invoke(app, ["prune-files", "--yes"])
    assert (ran.exit_code, ran.stdout) == (0, "removed 0 files, kept 1 file\n")
    assert f"not XQueue's: 1 file; is UPLOAD_PATH, {tmp_path}, the gateways'?" in ran.stderr
    assert (tmp_path / "thesis").exists()
