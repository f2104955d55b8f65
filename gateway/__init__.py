"""The HTTP gateway: the legacy API for the LMS and for pull graders, on top of the broker."""
