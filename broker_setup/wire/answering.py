"""Who has sent a result, and what follows: RabbitMQ vouches for the user that a message names."""

from collections.abc import Collection, Mapping


def is_ours(user: str | None, *, graders: Collection[str], services: Collection[str]) -> bool:
    """Say whether a result is from a service of XQueue, so that the bookkeeping in its headers counts.

    Where no AMQP `graders` are set up, nobody else publishes results; the services may have any names then, or none.
    """
    return not graders or user in services


def may_answer(
    user: str | None,
    queue: str,
    *,
    graders: Mapping[str, Collection[str]],
    services: Collection[str],
) -> str | None:
    """Return why a result of the course queue `queue` must not be delivered, None if it may be.

    `user` is the message's user_id: RabbitMQ refuses a publish that names anybody but its connection's own user, so it
    is true where it is there - but it may be left out. So as soon as there are AMQP `graders` (each with its queues),
    every result has to have one: whoever leaves it out could be any of them. XQueue's own `services` always do, and
    answer any queue. Where no grader publishes results, nobody is asked.
    """
    if is_ours(user, graders=graders, services=services):
        return None
    if user is None:
        return "it names no user (user_id), so that nobody knows whose grader it is from"
    if user not in graders:
        return f"user {user!r} is neither in AMQP_GRADERS nor a service of XQueue (SERVICE_USERS)"
    if queue not in graders[user]:
        return f"AMQP grader {user!r} may not answer the queue {queue!r}"
    return None
