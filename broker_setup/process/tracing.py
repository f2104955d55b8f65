"""Has a service's spans sent where OTEL_* variables ask for that."""

import logging

log = logging.getLogger(__name__)


def trace_as_asked(service: str, *, asked: bool) -> None:
    """Send spans from now on, if that is `asked` for; without the extra `otel` say what is missing."""
    if not asked:
        return
    try:
        # A process that sends none does without these, and their 10 MiB.
        from broker_setup.process.otlp_spans import send_spans  # noqa: PLC0415
    except ImportError:
        log.warning("OTEL_* asks for spans, for which xqueue-rabbitmq[otel] has to be installed: none are sent")
        return
    send_spans(service)
