"""`make image` takes the first builder that works, and says what it builds, from what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.image import build
from tests.support.project import ROOT, pyproject


@pytest.mark.parametrize(
    ("there", "wanted", "taken"),
    [
        ({"docker", "podman", "buildah"}, "", "docker"),
        ({"podman", "buildah"}, "", "podman"),
        ({"buildah"}, "", "buildah"),
        (set(), "", None),
        ({"docker", "buildah"}, "buildah", "buildah"),
        ({"buildah"}, "podman", None),
    ],
)
def test_the_first_that_answers_is_taken_unless_one_is_wanted(there: set[str], wanted: str, taken: str | None) -> None:
    assert build.chosen(wanted, there.__contains__) == taken


@pytest.mark.parametrize(
    ("script", "does"),
    [
        ("echo 28.1.0", True),
        # A client without an engine: some say so by their exit code, some by having no version to say.
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", False),
        ("echo; exit 0", False),
    ],
)
def test_a_client_without_an_engine_is_not_taken(
    script: str, *, does: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "docker"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert build.answers("docker") is does


def test_where_there_is_none_it_says_what_to_install(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.image.build"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"make image: {build.NONE}\n"


@pytest.mark.parametrize("builder", build.PROBES)
def test_each_builds_our_dockerfile_with_its_health_check_and_says_what_it_is(builder: str) -> None:
    tag = f"xqueue-rabbitmq:{pyproject()['project']['version']}"
    words = build.command(builder, tag, {"version": "1", "revision": ""}, "python@sha256:1", ["--pull"])
    assert words[0] == builder
    assert ("--format" in words) == (builder != "docker")  # what isn't docker's own drops the health check
    assert words[words.index("--file") + 1 : words.index("--file") + 4] == ["deploy/image/Dockerfile", "--tag", tag]
    assert words[-4:] == [
        "--label=org.opencontainers.image.version=1",
        "--build-arg=PYTHON_IMAGE=python@sha256:1",
        "--pull",
        ".",
    ]
    assert build.labels()["version"] == build.our_version() == pyproject()["project"]["version"]
