"""From any XQueue server by HTTP: this one, the original, or the queue within an LMS (docs/reference/grader-api.md)."""
