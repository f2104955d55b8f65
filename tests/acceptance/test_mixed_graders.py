"""One queue served by pull graders and AMQP graders at once, another by a passive grader, while all of them are killed.

SUBMISSIONS=3000 for the full number.
"""
