"""Moving the messages of a queue whose arguments differ into one that has this version's."""
