"""Programs of another release of Debian run with the C library unpacked beside them: the system's is another one."""

import contextlib
import os
from pathlib import Path

from deploy.local.errors import LocalError

ELF = b"\x7fELF"
# Nothing is left in the environment, as LD_LIBRARY_PATH would be: what they start, such as sh, is the system's.
WRAPPER = """\
#!/bin/sh
here=${{0%/*}}
root=$here/{up}
exec "$root/{loader}" --library-path "{libraries}" --argv0 "$0" "$here/{aside}/${{0##*/}}" "$@"
"""
ASIDE = "with-own-libc"


def wrap(tree: Path, root: Path) -> None:
    """Put a script in the place of each program in the tree's folders `bin` that starts it so; again is no matter.

    Two may do it at the same time. It writes no path of this machine: an unpacked folder may be copied.
    """
    loaders = sorted(root.glob("usr/lib*/**/ld-linux*.so.*"))
    if not loaders:
        raise LocalError(f"{root} holds no C library: delete that folder and try again.")
    folders = sorted({file.parent.relative_to(root) for file in (root / "usr/lib").glob("*-linux-gnu*/lib*.so.*")})
    for programs in sorted(tree.rglob("bin")):
        text = WRAPPER.format(
            up="/".join([".."] * len(programs.relative_to(root).parts)),
            loader=loaders[0].relative_to(root),
            libraries=":".join(f"$root/{folder}" for folder in folders),
            aside=ASIDE,
        )
        for program in sorted(programs.iterdir()):
            if program.is_file() and _is_elf(program):
                _replace(program, text)


def _replace(program: Path, text: str) -> None:
    aside = program.parent / ASIDE
    aside.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):  # the link is made before what it links to is replaced
        (aside / program.name).hardlink_to(program)
    fresh = aside / f"{program.name}.{os.getpid()}"
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(program)


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(ELF)) == ELF
