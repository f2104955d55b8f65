"""Regrades: copies of archived submissions go through a grader again, and their scores are compared."""
