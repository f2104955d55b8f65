"""Which server a sandbox plays: they know different calls, and answer differently."""

from enum import StrEnum


class Kind(StrEnum):
    """The kinds: this XQueue; the original one; the queue within the LMS, edx-submissions."""

    XQUEUE = "xqueue"
    ORIGINAL = "original"
    EDX_SUBMISSIONS = "edx-submissions"

    @property
    def has_more_calls(self) -> bool:
        """Whether it knows get_submissions/, extend_lease/ and release_submission/, and waits if a poll asks it to."""
        return self is Kind.XQUEUE

    @property
    def has_statuses(self) -> bool:
        """Whether it says by HTTP statuses how a call went, and wants CSRF tokens."""
        return self is Kind.EDX_SUBMISSIONS
