"""Which bindings earlier settings asked for, and these do not: what they copy would be kept against somebody's will."""

from broker_setup.topology import (
    ARCHIVED_RESULTS,
    ARCHIVED_SUBMISSIONS,
    CHECKED_EXCHANGE,
    CHECKED_QUEUE,
    RESULTS_EXCHANGE,
    RESULTS_QUEUE,
    SUBMISSIONS_EXCHANGE,
    Binding,
    Topology,
)


def stale_bindings(topology: Topology) -> list[Binding]:
    """Return those of the archive that may be there and should not: of course queues that are not archived any more."""
    to_course_queues = [each for each in topology.bindings if each.exchange == SUBMISSIONS_EXCHANGE]
    possible = [
        *(Binding(SUBMISSIONS_EXCHANGE, ARCHIVED_SUBMISSIONS, each.routing_key) for each in to_course_queues),
        Binding(RESULTS_EXCHANGE, ARCHIVED_RESULTS, RESULTS_QUEUE),
        Binding(CHECKED_EXCHANGE, ARCHIVED_RESULTS, CHECKED_QUEUE),
    ]
    return [each for each in dict.fromkeys(possible) if each not in topology.bindings]
