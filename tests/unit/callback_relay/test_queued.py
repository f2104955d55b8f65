"""The longest line, kept up to date by steps, against one that is counted anew each time."""

import random
from collections import Counter

from broker_setup.wire.results import NO_TRIES
from callback_relay.job import Identity, Job
from callback_relay.queued import Queued


def test_the_longest_line_and_its_newest_are_known_after_every_step() -> None:
    chance = random.Random(7)
    queued: Queued[Job] = Queued()
    jobs: list[Job] = []
    for number in range(3_000):
        if not jobs or chance.random() < (0.6 if number < 2_000 else 0.2):
            url = f"http://lms/{chance.randrange(8)}"
            jobs.append(Job(Identity(str(number), 0, 0), url, "http://lms", "openedx", NO_TRIES, 0.0, 0.0))
            queued.add(jobs[-1])
        else:
            gone = jobs.pop(chance.randrange(len(jobs)))
            queued.discard(gone)
            queued.discard(gone)
            assert gone not in queued
        lengths = Counter(job.url for job in jobs)
        assert list(queued) == jobs
        assert queued.longest == max(lengths.values(), default=0)
        if jobs:
            assert queued.newest() is jobs[-1]
            newest = queued.newest_of_longest()
            assert lengths[newest.url] == queued.longest
            assert newest is [job for job in jobs if job.url == newest.url][-1]
