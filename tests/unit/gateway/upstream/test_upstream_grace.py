"""Who holds up an upstream for long is told before it happens."""

from broker_setup.settings import Settings
from broker_setup.settings.value_types import QueueOptions
from gateway.upstream.grace import grace_warnings


def test_queues_whose_students_are_told_late_are_named() -> None:
    settings = Settings(
        xqueues={"slow": None, "quick": None, "other": None},
        upstreams={"lms": {"url": "https://lms.example/xqueue", "user": "w", "queues": {"a": "slow", "b": "quick"}}},
        queue_options={"quick": QueueOptions(notice_grace=300)},
    )
    [warning] = grace_warnings(settings)
    assert warning.startswith("NOTICE_GRACE is 86400 s for 'slow': ")
    assert warning.endswith("QUEUE_OPTIONS can say {slow: {notice_grace: 300}}")
