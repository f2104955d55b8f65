"""The command `sandbox`: a server to try a grader with, whichever language it is written in."""

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from xqueue_grader.sandbox.desk import Graded
from xqueue_grader.sandbox.kinds import Kind
from xqueue_grader.sandbox.sandbox import PASSWORD, USER, Sandbox
from xqueue_grader.trying.report import fate_of
from xqueue_grader.trying.submission_file import Filed, SubmissionFileError, read_submission_file
from xqueue_grader.trying.verdict import prospect_of

NOT_STARTED = 2
NOT_ALL = 1
_LOOK_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `sandbox` takes."""
    parser.add_argument("submissions", nargs="*", type=Path, help="what waits: files as those of `try`")
    parser.add_argument(
        "--queue", action="append", dest="queues", metavar="NAME", help="a queue (openedx); may be repeated"
    )
    parser.add_argument("--port", type=int, default=0, help="where it listens at 127.0.0.1 (a free one)")
    parser.add_argument(
        "--like", type=Kind, choices=list(Kind), default=Kind.XQUEUE, help="which server it plays (xqueue)"
    )
    parser.add_argument("--lease", type=float, default=60.0, metavar="SECONDS", help="how long a lease runs (60)")
    parser.add_argument("--until-graded", action="store_true", help="end once each of the files has its result")


def serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or until all is graded, and say what comes; return the exit code."""
    try:
        filed = [read_submission_file(path) for path in arguments.submissions]
    except SubmissionFileError as error:
        return _not_started(str(error))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(
        arguments.queues or ["openedx"],
        kind=arguments.like,
        lease_seconds=arguments.lease,
        port=arguments.port,
        said=_say,
    )
    try:
        sandbox.start()
    except OSError as error:
        return _not_started(f"can't listen at port {arguments.port}: {error.strerror}")
    try:
        return _served(sandbox, filed, stop, until_graded=arguments.until_graded)
    finally:
        sandbox.stop()


def _served(sandbox: Sandbox, filed: list[Filed], stop: threading.Event, *, until_graded: bool) -> int:
    for each in filed:
        sandbox.submit(body=each.body, files=each.files)
    _say(f"url:      {sandbox.url}")
    _say(f"account:  {USER}, password {PASSWORD}")
    _say(f"waiting:  {sandbox.waiting()} in {sandbox.queues[0]}; submit/ takes more, as from an LMS")
    shown: dict[int, int] = {}
    while not stop.wait(_LOOK_SECONDS):
        for graded in sandbox.all():
            for line in _news(graded, shown):
                _say(line)
        if until_graded and all(each.replies for each in sandbox.all()):
            return 0
    return 0 if all(each.replies for each in sandbox.all()) else NOT_ALL


def _news(graded: Graded, shown: dict[int, int]) -> Iterator[str]:
    seen = shown.get(graded.id, 0)
    shown[graded.id] = len(graded.replies)
    for number, reply in enumerate(graded.replies[seen:], seen + 1):
        again = f", its result number {number}: A STUDENT WOULD HEAR TWICE" if number > 1 else ""
        yield f"submission {graded.id} is graded{again}"
        yield from fate_of(prospect_of(reply))


def _say(line: str) -> None:
    print(line, flush=True)


def _not_started(why: str) -> int:
    print(f"xqueue-grader sandbox: {why}", file=sys.stderr)
    return NOT_STARTED
