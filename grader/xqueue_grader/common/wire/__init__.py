"""Which replies an LMS takes."""
