"""The small HTTP server of a process that has no other: its metrics, and whether it is alive and of use."""
