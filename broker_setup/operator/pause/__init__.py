"""Pausing a queue, and letting it go on."""
