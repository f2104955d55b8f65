"""The ledger: what happened to each submission, in one total order, as a stream of frames of events."""
