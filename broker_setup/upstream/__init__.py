"""How XQueue talks to an upstream, an LMS's own grader queue: in the dialect of edx-submissions."""
