"""What operators do with `xqueue-broker`, by feature."""
