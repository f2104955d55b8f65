"""What was submitted and answered, kept for a while where an operator asked for it, sealed, an object for each."""
