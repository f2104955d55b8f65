"""The bridge to passive graders: takes submissions out of their queues, calls a URL, publishes the answer."""
