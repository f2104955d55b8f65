"""How much waits where."""
