"""`make image`: builds the image with docker, podman or buildah, tagged with our version. Standard library only."""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "xqueue-rabbitmq"
SECONDS = 30  # for a builder to say that it is there
# In this order; what each is asked says whether it can build: docker's client is often there without an engine.
PROBES = {
    "docker": ("docker", "info", "--format", "{{.ServerVersion}}"),
    "podman": ("podman", "info", "--format", "{{.Version.Version}}"),
    "buildah": ("buildah", "--version"),
}
BUILDS = {
    "docker": ("docker", "build"),
    # Without this format they leave out the health check. buildah runs its steps in a chroot, which needs nothing else.
    "podman": ("podman", "build", "--format", "docker"),
    "buildah": ("buildah", "bud", "--format", "docker", "--isolation", "chroot", "--network", "host"),
}
NONE = (
    "none of docker (with its engine), podman and buildah is here, or works: install one, as in apt-get install buildah"
)


def answers(builder: str) -> bool:
    """Tell whether this builder is there and says its version."""
    if shutil.which(builder) is None:
        return False
    try:
        asked = subprocess.run(PROBES[builder], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and bool(asked.stdout.strip())


def chosen(wanted: str, does_answer: Callable[[str], bool] = answers) -> str | None:
    """Return the builder that is wanted, or the first of all; None if it does not answer, or none does."""
    return next(filter(does_answer, [wanted] if wanted else PROBES), None)


def command(builder: str, tag: str, labels: Mapping[str, str], python_image: str, more: Sequence[str]) -> list[str]:
    """Return what builds the image from the repository's root; `more` are arguments of the builder's own."""
    named = [f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items() if value]
    base = [f"--build-arg=PYTHON_IMAGE={python_image}"] if python_image else []
    return [*BUILDS[builder], "--file", "deploy/image/Dockerfile", "--tag", tag, *named, *base, *more, "."]


def our_version() -> str:
    """Return the version that pyproject.toml has."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def labels() -> dict[str, str]:
    """Say what it is built from: of a checkout that is as its last commit has it, which one, and when that was made."""
    as_committed = _git("status", "--porcelain", "--untracked-files=no") == ""
    revision, created = (_git("log", "-1", f"--format={what}") if as_committed else None for what in ("%H", "%cI"))
    return {"version": our_version(), "revision": revision or "", "created": created or ""}


def main() -> None:
    """Build it; exit code 1 where nothing can, the builder's own where it fails."""
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--builder", default="", help="one of docker, podman and buildah, instead of the first of them")
    parser.add_argument("--python-image", default="", help="the image to build on, instead of the Dockerfile's")
    options, more = parser.parse_known_args()
    if options.builder and options.builder not in PROBES:
        parser.error(f"BUILDER is one of {', '.join(PROBES)}, not {options.builder!r}")
    builder = chosen(options.builder)
    if builder is None:
        sys.exit(f"make image: {f'{options.builder} is not here, or does not work' if options.builder else NONE}")
    tag = f"{NAME}:{our_version()}"
    print(f"image: building {tag} with {builder}", flush=True)
    environment = os.environ | {"DOCKER_BUILDKIT": "1"}
    built = subprocess.run(
        command(builder, tag, labels(), options.python_image, more), cwd=ROOT, env=environment, check=False
    )
    if built.returncode:
        sys.exit(built.returncode)
    size = subprocess.run(
        [builder, "images", "--format", "{{.Size}}", tag], capture_output=True, text=True, check=False
    )
    print(f"image: {tag}, {size.stdout.strip()}")


def _git(*arguments: str) -> str | None:
    try:
        asked = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


if __name__ == "__main__":
    main()
