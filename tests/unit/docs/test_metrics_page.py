"""docs/reference/metrics.md has every metric, label and reason, and its alerts name what there is."""

import re
from typing import Any

from prometheus_client import CollectorRegistry

from broker_setup.ledger.state import LedgerState
from broker_setup.wire.results import NO_TRIES
from callback_relay.evidence import FailedUrls
from callback_relay.ladder import Ladder
from callback_relay.metrics import MOST_ORIGINS, OTHER, PREFIX, UNKNOWN, Metrics, Reading
from callback_relay.pace import Health, Pace
from callback_relay.reason import Reason, Slug, status_slugs
from callback_relay.results_consumer import ConsumerState
from callback_relay.verdict import GiveBack, Outdated, Park, Repeat, Retry
from gateway.console.figures import figure_families as site
from gateway.console.figures.figures import Figures
from gateway.figures.collector import FamiliesCollector
from gateway.figures.gateway_figures import families_of
from gateway.http.outcomes import Outcome
from gateway.passive import metrics as passive
from gateway.upstream import metrics as upstream
from tests.support.alert_rules import alert_rules
from tests.support.gateway_reading import MOMENT, READING
from tests.support.project import quoted, table_rows, text
from xqueue_grader import End
from xqueue_grader.metrics import GraderMetrics

PAGE = text("docs/reference/metrics.md")
METRICS, REASONS = PAGE.split("\n**reason**")
REASONS, ALERTS = REASONS.split("\n## What to look at")
ALERTS, BRIDGE = ALERTS.split("\n## The bridge")
BRIDGE, GATEWAY = BRIDGE.split("\n## The gateway")
BRIDGE, UPSTREAMS = BRIDGE.split("\n## Upstreams")
GATEWAY, OUTCOMES = GATEWAY.split("\n**outcome**")
OUTCOMES, WHYS = OUTCOMES.split("\nThe **reason**")
WHYS, GRADER = WHYS.split("\n## A grader")
GRADER, SITE = GRADER.split("\n## The site")
# What Prometheus makes of one name.
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
LMS = "https://lms.example"
AWAY = Reason(Slug.AWAY, "the LMS is sick")


def exercised() -> dict[str, tuple[str, set[str]]]:
    """Every metric of ours, each with at least one series: its type and its labels."""
    pace: Pace[Any] = Pace(LMS, Ladder([1]), 1, FailedUrls())
    metrics = Metrics(lambda: Reading(ConsumerState.WORKING, {"consume": True, "publish": True}, {LMS: pace}, None))
    metrics.posted(LMS, 1)
    metrics.delivered(LMS, 0, 1)
    metrics.page(LMS)
    metrics.told(LMS)
    for verdict in (Retry(1, NO_TRIES, AWAY), Park(AWAY), Repeat(), Outdated(AWAY), GiveBack("")):
        metrics.settled(LMS, verdict)
    return _by_name(metrics.registry)


def of_the_bridge() -> dict[str, tuple[str, set[str]]]:
    reading = passive.Reading({"consume": True, "publish": True}, {"red": passive.QueueReading(True, False, 0)})
    return _by_name(passive.Metrics(lambda: reading, ["red"]).registry)


def of_upstreams() -> dict[str, tuple[str, set[str]]]:
    metrics = upstream.Metrics(lambda: {"ledger": True, "publish": True, "asking": True})
    metrics.of("lms", "red")
    return _by_name(metrics.registry)


def of_the_gateway() -> dict[str, tuple[str, set[str]]]:
    registry = CollectorRegistry()
    registry.register(FamiliesCollector(lambda: families_of(READING)))
    return _by_name(registry)


def of_a_grader() -> dict[str, tuple[str, set[str]]]:
    registry = CollectorRegistry()
    metrics = GraderMetrics(registry)
    metrics.begun("red")
    metrics.ended("red", End.GRADED, 0.5)
    return _by_name(registry)


def of_the_site() -> dict[str, tuple[str, set[str]]]:
    registry, state = CollectorRegistry(), LedgerState()
    registry.register(FamiliesCollector(lambda: site.families_of(Figures(["red"], state), state, MOMENT)))
    return _by_name(registry)


def _by_name(registry: CollectorRegistry) -> dict[str, tuple[str, set[str]]]:
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in registry.collect()
        if family.name.startswith("xqueue_")
    }


def test_every_metric_has_a_row_with_its_type_and_labels() -> None:
    for page, metrics in (
        (METRICS, exercised()),
        (BRIDGE, of_the_bridge()),
        (UPSTREAMS, of_upstreams()),
        (GATEWAY, of_the_gateway()),
        (GRADER, of_a_grader()),
        (SITE, of_the_site()),
    ):
        rows = {quoted(row[0])[0]: (row[1], set(quoted(row[2]))) for row in table_rows(page)}
        assert rows == metrics


def test_the_states_are_those_of_the_code() -> None:
    said = {quoted(row[0])[0]: set(quoted(row[3])) for row in table_rows(METRICS)}
    assert said[f"{PREFIX}_state"] == {state.value for state in ConsumerState}
    assert said[f"{PREFIX}_origins"] == {state.value for state in Health} | {OTHER}


def test_every_outcome_of_a_call_and_every_reason_of_a_refused_submit_has_a_row() -> None:
    assert [quoted(row[0]) for row in table_rows(OUTCOMES)] == [[outcome] for outcome in Outcome]
    [refused] = [family for family in families_of(READING) if family.name.endswith("submits_refused_total")]
    assert [tuple(quoted(row[0])) for row in table_rows(WHYS)] == [sample.labels for sample in refused.samples]


def test_every_reason_has_a_row() -> None:
    rows = table_rows(REASONS)
    assert [slug for row in rows for slug in quoted(row[0])] == [*status_slugs(), *Slug]
    assert all({retried, parked} <= {"yes", "-"} for _, retried, parked, _ in rows)


def test_each_way_in_which_a_grading_ends_is_named() -> None:
    assert {end.value for end in End} <= set(quoted(GRADER))


def test_the_names_and_numbers_for_origins_are_those_of_the_code() -> None:
    assert f"up to {MOST_ORIGINS} in all" in re.sub(r"\s+", " ", PAGE)
    assert {OTHER, UNKNOWN} <= set(quoted(PAGE))


def test_what_is_asked_of_the_relay_are_metrics_labels_and_values_that_exist() -> None:
    metrics = exercised()
    series = {
        name.removesuffix("_total") + suffix: labels
        for name, (kind, labels) in metrics.items()
        for suffix in SUFFIXES[kind]
    }
    asked = [*quoted(ALERTS), *(rule["expr"] for rule in alert_rules() if PREFIX in rule["expr"])]
    queries = [query for query in asked if "(" in query and query.count(PREFIX)]
    assert len(queries) == 8
    values = {state.value for state in (*ConsumerState, *Health)} | {*Slug}
    for query in queries:
        names = set(re.findall(rf"{PREFIX}_\w+", query))
        known = {label for name in names for label in series[name]}
        labels = {part.strip() for group in re.findall(r"by \(([^)]*)\)", query) for part in group.split(",")}
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', query):
            labels.add(label)
            assert set(re.split(r"\\?\|", value)) <= values, query
        assert labels - {"le"} <= known, query
