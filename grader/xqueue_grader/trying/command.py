"""The command `try`."""

import argparse
import sys
from pathlib import Path

from xqueue_grader.submission import Submission
from xqueue_grader.trying.beside import try_beside
from xqueue_grader.trying.report import as_json, report
from xqueue_grader.trying.served_files import serving_files
from xqueue_grader.trying.submission_file import SubmissionFileError, read_submission_file
from xqueue_grader.trying.verdict import prospect_of

NOT_TAKEN = 1
NOT_TRIED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `try` takes."""
    parser.add_argument(
        "grader", metavar="GRADER.py[:FUNCTION]", help="the file, and the function unless it is `grade`"
    )
    parser.add_argument(
        "submission", type=Path, help="submission.json, or any other file, which is what a student typed"
    )
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="the most that it may take (60)")
    parser.add_argument("--queue", default="openedx", help="the queue that it seems to come from (openedx)")
    parser.add_argument("--json", action="store_true", help="print an object for programs")


def try_once(arguments: argparse.Namespace) -> int:
    """Try it, and print what came of it; return the exit code."""
    file, _, function = str(arguments.grader).partition(":")
    if not Path(file).is_file():
        return _not_tried(f"there is no file {file}")
    try:
        filed = read_submission_file(arguments.submission)
        with serving_files(filed.files, arguments.submission.parent) as files:
            submission = Submission(filed.body, files, 1, arguments.queue, 1, "0" * 32)
            outcome = try_beside(Path(file), function, submission, arguments.timeout)
    except SubmissionFileError as error:
        return _not_tried(str(error))
    if outcome.no_function:
        return _not_tried(outcome.no_function)
    prospect = None if outcome.reply is None else prospect_of(outcome.reply.encode("latin-1"))
    print(as_json(outcome, prospect) if arguments.json else report(outcome, prospect))
    return 0 if prospect and not prospect.wrong else NOT_TAKEN


def _not_tried(why: str) -> int:
    print(f"xqueue-grader try: {why}", file=sys.stderr)
    return NOT_TRIED
