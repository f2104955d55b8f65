"""What a worker and its parent say to each other, a byte each; the line's end says that the other one has gone."""

SERVING = b"s"  # the worker: it takes connections
ALIVE = b"a"  # the worker, every few seconds: it does something
READY = b"r"  # the worker: its /readyz is answered 200
OPEN = b"o"  # the parent: take connections now, ready or not, as nobody else does
RETIRE = b"q"  # the parent: take no more connections, and end when those that are there have their answers
