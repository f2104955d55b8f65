"""What the dashboard shows: rows of panels, each with its questions to Prometheus and the words for what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass

# Of the queues that are chosen on top.
QUEUES = 'queue=~"$queue"'
# The time of a rate: Grafana makes it of what is looked at and of how often is scraped.
EACH = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """A plot, or a number where `is_number`; `asks` has the legend of each expression."""

    title: str
    unit: str
    asks: Mapping[str, str]
    about: str = ""
    is_number: bool = False


def number(title: str, unit: str, expression: str, about: str = "") -> Panel:
    """Show the newest figure, large."""
    return Panel(title, unit, {title: expression}, about, is_number=True)


def per_queue(counter: str) -> str:
    """Ask how many of it there are each second, in each queue; consoles say the same, however many there are."""
    return f"max by (queue) (rate(xqueue_queue_{counter}_total{{{QUEUES}}}{EACH}))"


def quantile(share: float, histogram: str, by: str, labels: str = "") -> str:
    """Ask what so large a share stays below."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({histogram}_bucket{{{labels}}}{EACH})))"


ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Now": (
        number("Waiting", "short", f"sum(max by (queue) (xqueue_queue_waiting{{{QUEUES}}}))"),
        number("With graders", "short", f"sum(max by (queue) (xqueue_queue_leased{{{QUEUES}}}))"),
        number("Oldest waiting", "s", f"max(xqueue_queue_oldest_waiting_seconds{{{QUEUES}}})"),
        number("Parked", "short", f"sum(max by (queue) (xqueue_queue_parked{{{QUEUES}}}))", "An operator has to look."),
        number("Paused queues", "short", f"sum(max by (queue) (xqueue_queue_paused{{{QUEUES}}}))"),
        number("Oldest result", "s", "max(xqueue_relay_oldest_result_age_seconds)", "Graded, not taken by its LMS."),
        number("Relays at work", "short", 'sum(xqueue_relay_state{state="working"})', "One; others stand by."),
        number("Gateways that know all", "short", "sum(xqueue_gateway_ledger_caught_up)"),
    ),
    "Queues": (
        Panel("Waiting", "short", {"{{queue}}": f"max by (queue) (xqueue_queue_waiting{{{QUEUES}}})"}),
        Panel(
            "Oldest waiting", "s", {"{{queue}}": f"max by (queue) (xqueue_queue_oldest_waiting_seconds{{{QUEUES}}})"}
        ),
        Panel("With graders", "short", {"{{queue}}": f"max by (queue) (xqueue_queue_leased{{{QUEUES}}})"}),
        Panel(
            "Graders seen in the last 5 minutes",
            "short",
            {"{{queue}}": f"max by (queue) (xqueue_queue_graders{{{QUEUES}}})"},
        ),
        Panel(
            "Submitted and graded",
            "ops",
            {"{{queue}} submitted": per_queue("submitted"), "{{queue}} graded": per_queue("graded")},
        ),
        Panel(
            "What goes wrong",
            "ops",
            {
                "{{queue}} leases expired": per_queue("leases_expired"),
                "{{queue}} attempts failed": per_queue("failed_attempts"),
                "{{queue}} parked": per_queue("parked"),
            },
        ),
        Panel("Superseded", "ops", {"{{queue}}": per_queue("superseded")}, "A newer answer of the same student came."),
        Panel("Parked", "short", {"{{queue}}": f"max by (queue) (xqueue_queue_parked{{{QUEUES}}})"}),
        Panel(
            "Time of waiting",
            "s",
            {
                "{{queue}} half": quantile(0.5, "xqueue_queue_waiting_seconds", "queue", QUEUES),
                "{{queue}} 95 %": quantile(0.95, "xqueue_queue_waiting_seconds", "queue", QUEUES),
            },
            "Half of all, and 95 of 100, waited no longer than this for a grader.",
        ),
        Panel(
            "Time of grading",
            "s",
            {
                "{{queue}} half": quantile(0.5, "xqueue_queue_grading_seconds", "queue", QUEUES),
                "{{queue}} 95 %": quantile(0.95, "xqueue_queue_grading_seconds", "queue", QUEUES),
            },
        ),
    ),
    "Results": (
        Panel(
            "At hand and on rungs", "short", {"{{origin}} {{where}}": "sum by (origin, where) (xqueue_relay_results)"}
        ),
        Panel(
            "LMSs that are sick, or refuse all",
            "short",
            {"{{origin}} {{state}}": 'sum by (origin, state) (xqueue_relay_origins{state!="ok"})'},
        ),
        Panel(
            "Delivered",
            "ops",
            {"{{origin}}": f"sum by (origin) (rate(xqueue_relay_delivered_total{EACH}))"},
        ),
        Panel(
            "Tried again and parked",
            "ops",
            {
                "{{origin}} again: {{reason}}": f"sum by (origin, reason) (rate(xqueue_relay_retried_total{EACH}))",
                "{{origin}} parked: {{reason}}": f"sum by (origin, reason) (rate(xqueue_relay_parked_total{EACH}))",
            },
        ),
        Panel(
            "Time of a callback, 99 %",
            "s",
            {"{{origin}}": quantile(0.99, "xqueue_relay_callback_seconds", "origin")},
        ),
        Panel(
            "From result to LMS",
            "s",
            {
                "half": quantile(0.5, "xqueue_relay_delivery_seconds", "job"),
                "95 %": quantile(0.95, "xqueue_relay_delivery_seconds", "job"),
            },
        ),
    ),
    "Gateways": (
        Panel(
            "Calls",
            "reqps",
            {"{{call}} {{outcome}}": f"sum by (call, outcome) (rate(xqueue_gateway_requests_total{EACH})) > 0"},
        ),
        Panel("Time of a call, 99 %", "s", {"{{call}}": quantile(0.99, "xqueue_gateway_request_seconds", "call")}),
        Panel("Polls that wait", "short", {"{{instance}}": "xqueue_gateway_polls_waiting"}),
        Panel(
            "Held, and not confirmed yet",
            "short",
            {"{{instance}} held": "xqueue_gateway_held", "{{instance}} unconfirmed": "xqueue_gateway_unconfirmed"},
        ),
        Panel(
            "Submits refused",
            "ops",
            {"{{reason}}": f"sum by (reason) (rate(xqueue_gateway_submits_refused_total{EACH}))"},
        ),
        Panel(
            "Logins",
            "ops",
            {
                "refused": f"sum(rate(xqueue_gateway_logins_refused_total{EACH}))",
                "put off": f"sum(rate(xqueue_gateway_logins_throttled_total{EACH}))",
            },
        ),
        Panel(
            "Ledger, behind by",
            "s",
            {"{{instance}}": "xqueue_gateway_ledger_lag_seconds", "site": "xqueue_site_ledger_lag_seconds"},
        ),
        Panel("Time of reading the ledger at the start", "s", {"{{instance}}": "xqueue_gateway_replay_seconds"}),
    ),
    "Passive graders": (
        Panel(
            "Requests",
            "ops",
            {
                "{{queue}} answered": f"sum by (queue) (rate(xqueue_passive_answered_total{EACH}))",
                "{{queue}} failed": f"sum by (queue) (rate(xqueue_passive_failed_tries_total{EACH}))",
                "{{queue}} given up": f"sum by (queue) (rate(xqueue_passive_given_up_total{EACH}))",
            },
        ),
        Panel(
            "Under way",
            "short",
            {"{{queue}}": "sum by (queue) (xqueue_passive_under_way)"},
        ),
        Panel("Time of a request, 95 %", "s", {"{{queue}}": quantile(0.95, "xqueue_passive_grading_seconds", "queue")}),
    ),
    "Broker": (
        Panel(
            "Ready",
            "short",
            {
                "{{queue}}": "max by (vhost, queue) "
                '(rabbitmq_detailed_queue_messages_ready{queue=~"xqueue\\\\..+",queue!="xqueue.ledger"})'
            },
            "Each queue of the broker; what the ledger holds is not a backlog.",
        ),
        Panel(
            "With a consumer, or on the way to the next queue",
            "short",
            {
                "{{queue}}": "max by (vhost, queue) "
                '(rabbitmq_detailed_queue_messages{queue=~"xqueue\\\\..+",queue!="xqueue.ledger"}'
                " - rabbitmq_detailed_queue_messages_ready)"
            },
        ),
        Panel("Disk that is free", "bytes", {"{{instance}}": "rabbitmq_disk_space_available_bytes"}),
        Panel("Memory", "bytes", {"{{instance}}": "rabbitmq_process_resident_memory_bytes"}),
        Panel(
            "Log entries kept",
            "short",
            {
                "{{queue}}": "max by (vhost, queue) ({__name__=~"
                '"rabbitmq_.*raft_.*last_written_index",queue=~"xqueue\\\\..+"})'
                " - max by (vhost, queue) ({__name__=~"
                '"rabbitmq_.*raft_.*snapshot_index",queue=~"xqueue\\\\..+"})'
            },
            "A long hold keeps them, before RabbitMQ 4.3.",
        ),
        Panel(
            "Alarms",
            "short",
            {
                "{{instance}} memory": "rabbitmq_alarms_memory_used_watermark",
                "{{instance}} disk": "rabbitmq_alarms_free_disk_space_watermark",
            },
        ),
    ),
    "Processes": (
        Panel("Scraped", "short", {"{{job}} {{instance}}": 'up{job=~"xqueue-.+"}'}),
        Panel(
            "Connections to the broker",
            "short",
            {
                "{{instance}} {{connection}}": "xqueue_gateway_broker_connection_up "
                "or xqueue_relay_broker_connection_up or xqueue_passive_broker_connection_up "
                "or xqueue_console_broker_connection_up"
            },
        ),
        Panel(
            "CPU",
            "percentunit",
            {"{{job}} {{instance}}": f'rate(process_cpu_seconds_total{{job=~"xqueue-.+"}}{EACH})'},
        ),
        Panel("Memory", "bytes", {"{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"xqueue-.+"}'}),
    ),
}
