"""`make dist` (`python -m deploy.release`): what a release consists of, and whether the tree is ready for one."""

import argparse
import sys
from pathlib import Path

from deploy.release.checks import newest_notes, unready
from deploy.release.dist import make_dist
from deploy.release.errors import ReleaseError

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    dist = commands.add_parser("dist", help="make wheels, sdist, bill of materials and checksums of the last commit")
    dist.add_argument("--repository", default="", help="where the project lives, for the links of its pages")
    dist.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder, which is emptied before")
    check = commands.add_parser("check", help="say what is missing for a release under this tag")
    check.add_argument("tag", help="as v1.2.3")
    commands.add_parser("notes", help="print what CHANGELOG.md says of its newest release")
    wanted = parser.parse_args()
    if wanted.command == "notes":
        print(newest_notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")), end="")
        return
    try:
        if wanted.command == "check":
            if wrong := unready(ROOT, wanted.tag):
                sys.exit("\n".join(f"release: {line}" for line in wrong))
            return
        commit = make_dist(ROOT, wanted.out, wanted.repository.rstrip("/") or None)
    except ReleaseError as error:
        sys.exit(f"release: {error}")
    for file in sorted(path for path in wanted.out.rglob("*") if path.is_file()):
        print(f"{file.stat().st_size:>10}  {file.relative_to(wanted.out)}")
    print(f"made of {commit.name} in {wanted.out}")
    if commit.is_dirty:
        print("release: files that are changed and not committed are not in it", file=sys.stderr)


if __name__ == "__main__":
    main()
