"""Results that wait for their LMS."""
