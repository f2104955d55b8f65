"""Takes work out of upstreams, LMSs' own grader queues, and hands it in here; the relay puts the results back."""
