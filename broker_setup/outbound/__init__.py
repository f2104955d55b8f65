"""Requests that leave for servers of others: where they may go, and how they fail."""
