"""How a process of ours runs: its log, its threads, its memory."""
