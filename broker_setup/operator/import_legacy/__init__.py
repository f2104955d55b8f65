"""`import-legacy`: the work of an original XQueue, from its SQL table into the queues."""
