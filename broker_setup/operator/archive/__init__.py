"""The archive: written, shown, exported, forgotten."""
