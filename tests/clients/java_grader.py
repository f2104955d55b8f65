"""Runs examples/JavaGrader.java where there is a JDK of Java 11 or later, which compiles it on the way."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.clients.task import Task

SOURCE = Path(__file__).parents[2] / "examples/JavaGrader.java"
OLDEST = 11


def why_not() -> str | None:
    """Say why this grader can't run here."""
    if not shutil.which("java"):
        return "there is no Java"
    said = subprocess.run(["java", "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    version = re.search(r"\b(\d+)(\.|\b)", said)
    if not version or int(version[1]) < OLDEST:
        return f"this Java is older than {OLDEST}"
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=True, timeout=60).stdout
    return None if "jdk.compiler" in modules else "this Java has no compiler: it is no JDK"


def grade(task: Task) -> None:
    """Grade with a Java process."""
    # One processor's worth of compiler and collector: it starts sooner.
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    arguments = [task.base, task.queue, task.account, task.password, "1"]
    done = subprocess.run(
        ["java", *flags, str(SOURCE), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
