"""What is parked: looking, redriving, discarding."""
