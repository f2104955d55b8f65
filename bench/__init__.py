"""Measures XQueue beside bare programs that do the same work without it, in one run on one machine."""
