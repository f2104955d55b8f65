"""Where a run's files go."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.quick_disk import keep_files_in_memory


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "")  # so that it is put back as it was
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())


def test_files_go_to_memory_where_there_is_room(tmp_path: Path) -> None:
    keep_files_in_memory(lambda _: 8_000_000_000, tmp_path)
    assert tempfile.gettempdir() == str(tmp_path)


@pytest.mark.parametrize("free", [0, 64_000_000])
def test_a_containers_few_megabytes_are_not_filled(tmp_path: Path, free: int) -> None:
    keep_files_in_memory(lambda _: free, tmp_path)
    assert tempfile.gettempdir() != str(tmp_path)


def test_where_there_is_no_memory_to_write_to_the_disk_is_used(tmp_path: Path) -> None:
    keep_files_in_memory(lambda _: 8_000_000_000, tmp_path / "none")
    assert "TMPDIR" not in os.environ


def test_a_folder_that_a_person_names_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    keep_files_in_memory(lambda _: 8_000_000_000, tmp_path / "memory")
    assert os.environ["TMPDIR"] == str(tmp_path)
