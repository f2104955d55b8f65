"""What a Prometheus sees of a site: by queue, with what the broker says of who waits."""

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.state import LedgerState
from gateway.console.figures.figure_families import Moment, families_of
from gateway.console.figures.figures import OTHER, Figures
from gateway.figures.collector import FamiliesCollector
from tests.support.gateway_reading import MOMENT
from tests.support.ledger_events import graded, leased, parked, submitted
from tests.support.metrics import Shown, shown_by
from tests.support.promtool import promtool

WAY: tuple[AnyEvent, ...] = (
    *(submitted(number, float(number), url=str(number)) for number in range(1, 5)),
    submitted(5, 5.0, url="1"),  # supersedes the first
    leased(2, 6.0, "k", url="2"),
    leased(3, 7.0, "l", url="3"),
    graded(3, 9.0, "l", url="3"),
    submitted(6, 10.0, queue="gone", url="6"),
    parked(4, 11.0, url="4"),
)


def site(moment: Moment = MOMENT) -> CollectorRegistry:
    state, registry = LedgerState(), CollectorRegistry()
    figures = Figures(["openedx", "quiet"], state)
    for event in WAY:
        figures.take(event, state.apply(event), is_new=True)
    registry.register(FamiliesCollector(lambda: families_of(figures, state, moment)))
    return registry


def shown(moment: Moment = MOMENT) -> Shown:
    return shown_by(site(moment))


def test_what_waits_is_what_the_broker_says_without_what_is_superseded() -> None:
    # The superseded one has not left the broker's queue.
    assert shown(replace(MOMENT, ready={"openedx": 2}))["xqueue_queue_waiting"]["openedx",] == 1
    # An AMQP grader has the last one.
    assert shown(replace(MOMENT, ready={"openedx": 0}))["xqueue_queue_waiting"]["openedx",] == 0


def test_where_the_broker_can_not_be_asked_the_ledger_says_what_waits() -> None:
    waiting = {("openedx",): 1, ("quiet",): 0, (OTHER,): 1}
    assert shown()["xqueue_queue_waiting"] == waiting
    assert shown(replace(MOMENT, ready={"quiet": 0}))["xqueue_queue_waiting"] == waiting


def test_each_queue_has_all_its_figures_also_one_in_which_nothing_happens() -> None:
    said = shown()
    assert said["xqueue_queue_leased"] == {("openedx",): 1, ("quiet",): 0, (OTHER,): 0}
    assert said["xqueue_queue_parked"] == {("openedx",): 1, ("quiet",): 0, (OTHER,): 0}
    assert said["xqueue_queue_oldest_waiting_seconds"] == {("openedx",): 25, ("quiet",): 0, (OTHER,): 20}
    assert said["xqueue_queue_submitted_total"] == {("openedx",): 5, ("quiet",): 0, (OTHER,): 1}
    assert said["xqueue_queue_graded_total"] == {("openedx",): 1, ("quiet",): 0, (OTHER,): 0}
    assert said["xqueue_queue_waiting_seconds_count"] == {("openedx",): 2, ("quiet",): 0, (OTHER,): 0}
    assert said["xqueue_queue_grading_seconds_sum"] == {("openedx",): 2, ("quiet",): 0, (OTHER,): 0}
    assert said["xqueue_queue_paused"] == {("openedx",): 0, ("quiet",): 1, (OTHER,): 0}
    assert said["xqueue_queue_graders"]["openedx",] == 1
    assert said["xqueue_site_ledger_lag_seconds"] == {(): 0.5}
    assert said["xqueue_console_broker_connection_up"] == {("ledger",): 1}
    assert said["xqueue_console_logins_refused_total"] == {(): 4}
    assert said["xqueue_console_logins_throttled_total"] == {(): 1}


def test_nothing_is_oldest_where_the_broker_has_nothing_that_waits() -> None:
    assert shown(replace(MOMENT, ready={"openedx": 0}))["xqueue_queue_oldest_waiting_seconds"]["openedx",] == 0


def test_a_prometheus_takes_the_page_and_finds_nothing_wrong_with_its_names() -> None:
    checked = promtool("check", "metrics", given=generate_latest(site()).decode())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
