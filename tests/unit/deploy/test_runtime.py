"""Where the libraries of unpacked programs are found."""

from pathlib import Path

from deploy.local.runtime import libraries_in


def test_folders_of_libraries_are_found_whatever_stands_at_the_end_of_their_names(
    tmp_path: Path,
) -> None:
    for name in ("usr/lib/any-linux-gnu/libpulse.so.0", "usr/lib/any-linux-gnu/pulseaudio/libpulsecommon-16.1.so"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "usr/lib/erlang/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/erlang/lib/libasn1.so").touch()
    places = tmp_path / "usr/lib/any-linux-gnu"
    assert libraries_in(tmp_path) == [str(places), str(places / "pulseaudio")]
