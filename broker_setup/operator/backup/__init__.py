"""Everything that is at the broker as files in a folder, and back from there onto a fresh broker."""
