"""Makes the folder of a new grader, with tests and a Dockerfile."""
