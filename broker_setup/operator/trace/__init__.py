"""What happened to one submission."""
