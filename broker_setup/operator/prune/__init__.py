"""Files that nobody needs any more."""
