"""How submissions come to a grader and replies leave it: one way for each scheme of a URL."""
