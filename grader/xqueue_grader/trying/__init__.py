"""Tries a grader's function without a server: what it replies, whether an LMS would take that, and what it costs."""

from xqueue_grader.trying.in_process import Tried, try_here

__all__ = ["Tried", "try_here"]
