"""How a process runs: its log, and what it lacks."""
