"""Submissions that shall not be graded."""
