"""What travels through the broker, byte for byte: submissions, results, the sealed address, what is parked."""
