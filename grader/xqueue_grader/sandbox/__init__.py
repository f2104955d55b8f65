"""A server for tests of graders, within the process that tests: docs/howto/testing-a-grader.md shows how."""

from xqueue_grader.sandbox.desk import Graded
from xqueue_grader.sandbox.kinds import Kind
from xqueue_grader.sandbox.sandbox import Sandbox
from xqueue_grader.sandbox.trouble import Trouble

__all__ = ["Graded", "Kind", "Sandbox", "Trouble"]
