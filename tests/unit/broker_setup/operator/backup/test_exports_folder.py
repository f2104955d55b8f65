"""The folder of an export: whole under its name, or not there; read only if it is as it was written."""

from pathlib import Path

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.errors import ArgumentError, StorageError
from broker_setup.operator.backup.manifest import Manifest, secrets_named, signed
from broker_setup.operator.backup.reading import portions, read_manifest
from broker_setup.operator.backup.records import line_of
from broker_setup.operator.backup.writing import UNFINISHED, ExportFolder
from broker_setup.topology import LEDGER

SECRET = "a secret of the tests' own, long enough"


def written(target: Path, bodies: int = 3) -> Manifest:
    """Write an export with some messages of one queue, of which the first does not count, and one of another."""
    folder = ExportFolder(target)
    with folder.writing(LEDGER):
        folder.ledger.add(line(b"frame"))
        counted = {folder.add("one", line(b"%d" % number)) for number in range(bodies)} - {0}
        folder.add("other", line(b"not counted"))
        files = [folder.ledger.close(), folder.write("definitions.json", b"{}"), *folder.choose({"one": counted})]
        named = secrets_named([SECRET])
        manifest = signed(Manifest(1, "an export", "0.1.0", "then", "now", named, files, {}), SECRET)
        folder.finish(manifest)
    return manifest


def line(body: bytes) -> bytes:
    return line_of(Message(body))


def test_it_has_its_name_once_it_is_whole_and_what_does_not_count_is_not_in_it(tmp_path: Path) -> None:
    target = tmp_path / "export"
    manifest = written(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]
    assert manifest.by_queue == {"one": 2}
    assert target.stat().st_mode & 0o777 == 0o700
    assert read_manifest(target, [SECRET]) == manifest
    [file] = [each for each in manifest.files if each.queue == "one"]
    assert [[each.body for each in some] for some in portions(target, file, 0)] == [[b"1", b"2"]]
    assert [[each.body for each in some] for some in portions(target, file, 1)] == [[b"2"]]


def test_a_run_that_fails_leaves_nothing_and_what_a_killed_one_left_is_no_hindrance(tmp_path: Path) -> None:
    target = tmp_path / "export"
    (tmp_path / f"export{UNFINISHED}").mkdir()
    folder = ExportFolder(target)

    def fail() -> None:
        with folder.writing(LEDGER):
            assert (tmp_path / f"export{UNFINISHED}/ledger.jsonl").is_file()
            raise OSError("no space left")

    with pytest.raises(StorageError, match="could not be written"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="is there"), ExportFolder(tmp_path).writing(LEDGER):
        pass


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="is no export"):
        read_manifest(tmp_path, [SECRET])


@pytest.mark.parametrize("name", ["0000.jsonl", "definitions.json"])
def test_a_file_that_was_changed_or_is_gone_is_named(tmp_path: Path, name: str) -> None:
    target = tmp_path / "export"
    written(target)
    changed = target / name
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + b" ")
    with pytest.raises(ArgumentError, match=name):
        read_manifest(target, [SECRET])
    changed.unlink()
    with pytest.raises(ArgumentError, match=name):
        read_manifest(target, [SECRET])


def test_another_secret_is_told_from_a_manifest_that_was_changed(tmp_path: Path) -> None:
    target = tmp_path / "export"
    written(target)
    with pytest.raises(ArgumentError, match="SECRET_KEYs that are not set here"):
        read_manifest(target, ["another secret, of the same length as it"])
    manifest = target / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"then"', b'"when"'))
    with pytest.raises(ArgumentError, match="not as it was exported"):
        read_manifest(target, [SECRET])
