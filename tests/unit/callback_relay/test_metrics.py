"""What the metrics count, and that no stranger can make them many."""

import pytest

from broker_setup.wire.results import NO_TRIES
from callback_relay.evidence import SUSPECTS, FailedUrls
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.metrics import MOST_ORIGINS, Metrics, OriginNames, Reading
from callback_relay.pace import Pace
from callback_relay.reason import Reason, Slug, status_slug
from callback_relay.results_consumer import ConsumerState
from callback_relay.verdict import Delivered, GiveBack, Outdated, Park, Repeat, Retry
from tests.support.metrics import Shown, shown_by

LMS = "https://lms.example"
LADDER = Ladder((1, 5))
AWAY = Reason(Slug.AWAY, "the LMS is sick")


class Relay:
    """What the gauges read, to be changed by a test."""

    def __init__(self) -> None:
        self.state = ConsumerState.WORKING
        self.paces: dict[str, Pace[Job]] = {}
        self.oldest: float | None = None

    def read(self) -> Reading:
        return Reading(self.state, {"consume": True, "publish": False}, self.paces, self.oldest)


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
def metrics(relay: Relay) -> Metrics:
    return Metrics(relay.read)


def shown(metrics: Metrics) -> Shown:
    return shown_by(metrics.registry)


def broken_pace() -> Pace[Job]:
    pace: Pace[Job] = Pace(LMS, LADDER, 1, FailedUrls())
    for number in range(SUSPECTS):
        pace.evidence.failed(number, AWAY, 0)
    return pace


def test_what_becomes_of_a_result_is_counted_by_origin_and_reason(metrics: Metrics) -> None:
    metrics.settled(LMS, Delivered())  # counted where the LMS took it, acked or not
    metrics.settled(LMS, Retry(1, NO_TRIES, Reason(status_slug(503), "answered 503")))
    metrics.settled(LMS, Retry(1, NO_TRIES, AWAY))
    metrics.settled(LMS, Retry(1, NO_TRIES, AWAY))
    metrics.settled(LMS, Park(Reason(Slug.REPLY, "the grader's reply: no JSON")))
    metrics.settled("", Park(Reason(Slug.UNREADABLE, "no uuid")))
    metrics.settled(LMS, Repeat())
    metrics.settled(LMS, Outdated(Reason(Slug.OUTDATED, "a newer one has come")))
    metrics.settled(LMS, GiveBack("no copy could be stored"))
    said = shown(metrics)
    assert said["xqueue_relay_retried_total"] == {(LMS, "status_503"): 1, (LMS, "away"): 2}
    assert said["xqueue_relay_parked_total"] == {(LMS, "reply"): 1, ("unknown", "unreadable"): 1}
    assert said["xqueue_relay_repeats_total"] == {(LMS,): 1}
    assert said["xqueue_relay_outdated_total"] == {(LMS,): 1}
    assert said["xqueue_relay_given_back_total"] == {(): 1}
    assert said["xqueue_relay_delivered_total"] == {}


def test_a_callback_and_a_delivery_are_timed(metrics: Metrics) -> None:
    metrics.posted(LMS, 0.2)
    metrics.posted(LMS, 7)
    metrics.delivered(LMS, graded_at=1000, now=1040)
    said = shown(metrics)
    assert said["xqueue_relay_callback_seconds_count"] == {(LMS,): 2}
    assert said["xqueue_relay_callback_seconds_sum"] == {(LMS,): 7.2}
    assert said["xqueue_relay_callback_seconds_bucket"][LMS, "0.25"] == 1
    assert said["xqueue_relay_delivered_total"] == {(LMS,): 1}
    assert said["xqueue_relay_delivery_seconds_sum"] == {(): 40}


def test_a_result_from_the_future_takes_no_time(metrics: Metrics) -> None:
    metrics.delivered(LMS, graded_at=2000, now=1000)
    assert shown(metrics)["xqueue_relay_delivery_seconds_sum"] == {(): 0}


def test_origins_beyond_the_first_share_one_name() -> None:
    names = OriginNames(most=2)
    assert [names.name_of(f"http://lms-{number}") for number in (1, 2, 3, 1, 4)] == [
        "http://lms-1",
        "http://lms-2",
        "other",
        "http://lms-1",
        "other",
    ]


def test_a_listed_origin_keeps_its_name_whoever_came_before() -> None:
    names = OriginNames([LMS], most=2)
    assert [names.name_of(origin) for origin in ("http://a", "http://b", LMS)] == ["http://a", "other", LMS]


def test_a_listed_origin_is_shown_before_anything_happened(relay: Relay) -> None:
    said = shown(Metrics(relay.read, listed=[LMS]))
    assert said["xqueue_relay_delivered_total"] == {(LMS,): 0}


def test_however_many_origins_there_are_the_series_are_few(relay: Relay, metrics: Metrics) -> None:
    for number in range(3 * MOST_ORIGINS):
        origin = f"http://stranger-{number}"
        relay.paces[origin] = broken_pace()
        metrics.posted(origin, 1)
        metrics.delivered(origin, 0, 0)
        metrics.settled(origin, Retry(1, NO_TRIES, AWAY))
        metrics.settled(origin, Park(Reason(Slug.NOT_ALLOWED, origin)))
    said = shown(metrics)
    for name in ("delivered_total", "retried_total", "parked_total", "callback_seconds_count"):
        series = said[f"xqueue_relay_{name}"]
        assert len(series) == MOST_ORIGINS + 1
        assert sum(series.values()) == 3 * MOST_ORIGINS
    states = said["xqueue_relay_origins"]
    assert len(states) == 3 * (MOST_ORIGINS + 1)
    assert states["other", "sick"] == 2 * MOST_ORIGINS


def test_an_lms_shows_whether_it_is_sick_or_something_before_it_refuses(relay: Relay, metrics: Metrics) -> None:
    relay.paces[LMS] = broken_pace()
    assert shown(metrics)["xqueue_relay_origins"] == {(LMS, "ok"): 0, (LMS, "sick"): 1, (LMS, "condition"): 0}
    relay.paces[LMS].refuses = True
    assert shown(metrics)["xqueue_relay_origins"] == {(LMS, "ok"): 0, (LMS, "sick"): 0, (LMS, "condition"): 1}
    relay.paces[LMS].evidence.succeeded("a URL", 1)
    assert shown(metrics)["xqueue_relay_origins"] == {(LMS, "ok"): 1, (LMS, "sick"): 0, (LMS, "condition"): 0}


def test_the_gauges_say_what_the_relay_is_at(relay: Relay, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callback_relay.metrics.time", lambda: 1000.0)
    relay.state = ConsumerState.STANDING_BY
    relay.oldest = 940.0
    said = shown(metrics)
    assert said["xqueue_relay_state"] == {("working",): 0, ("standing_by",): 1, ("trying",): 0}
    assert said["xqueue_relay_broker_connection_up"] == {("consume",): 1, ("publish",): 0}
    assert said["xqueue_relay_oldest_result_age_seconds"] == {(): 60}


def test_with_nothing_undelivered_the_oldest_is_of_no_age(metrics: Metrics) -> None:
    assert shown(metrics)["xqueue_relay_oldest_result_age_seconds"] == {(): 0}
