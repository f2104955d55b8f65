"""How XQueue is set up and run on one machine and on many."""
