"""What `make up` does with a log that has grown: its process writes on, and there are two of them at most."""

from pathlib import Path

from deploy.local.process import Child


def child_of(folder: Path) -> Child:
    return Child("gateway-1", folder / "gateway-1.log", folder / "gateway-1.pid", marker="none")


def test_a_large_log_is_put_aside_while_its_process_appends(tmp_path: Path) -> None:
    child = child_of(tmp_path)
    with child.log.open("ab", buffering=0) as process:
        process.write(b"x" * 100)
        child.put_log_aside(most=50)
        process.write(b"next")
        assert child.log.read_bytes() == b"next"
        assert (tmp_path / "gateway-1.old.log").read_bytes() == b"x" * 100
        child.put_log_aside(most=50)
        assert child.log.read_bytes() == b"next"


def test_a_process_that_has_no_log_yet_is_none_to_look_after(tmp_path: Path) -> None:
    child_of(tmp_path).put_log_aside()
    assert not list(tmp_path.iterdir())
