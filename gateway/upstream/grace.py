"""Says which queues hold up their upstream when something of them is parked; no I/O."""

from broker_setup.settings import Settings

# After so long an upstream hands out again what has no result, and nothing else of that queue.
LEASE_SECONDS = 300.0


def grace_warnings(settings: Settings) -> list[str]:
    """Name the queues whose students are told later than their work is handed out again."""
    here = {each.queue for upstream in settings.upstreams.values() for each in upstream.queues.values()}
    return [
        f"NOTICE_GRACE is {settings.notice_grace_of(queue):g} s for {queue!r}: when a submission of it is parked, its "
        "upstream hands out nothing else of its queue until the student is told; QUEUE_OPTIONS can say "
        f"{{{queue}: {{notice_grace: {LEASE_SECONDS:g}}}}}"
        for queue in sorted(here)
        if settings.notice_grace_of(queue) > LEASE_SECONDS
    ]
