"""What a gateway shows of itself, and what several of its workers come to."""

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from gateway.figures.collector import FamiliesCollector
from gateway.figures.families import Family, Sample, added_up
from gateway.figures.gateway_figures import Figures, families_of
from gateway.http.readiness import LEAVING, SERVING, TRYING
from tests.support.gateway_reading import READING, counted
from tests.support.metrics import Shown, shown_by
from tests.support.promtool import promtool


def registry_of(families: list[Family]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FamiliesCollector(lambda: families))
    return registry


def shown(families: list[Family]) -> Shown:
    return shown_by(registry_of(families))


def test_calls_are_shown_by_what_came_of_them_and_by_how_long_they_took() -> None:
    said = shown(list(families_of(READING)))
    assert said["xqueue_gateway_requests_total"]["submit", "ok"] == 2
    assert said["xqueue_gateway_requests_total"]["submit", "refused"] == 1
    assert said["xqueue_gateway_requests_total"]["get_submission", "gone"] == 0
    took = said["xqueue_gateway_request_seconds_bucket"]
    assert [took["submit", bound] for bound in ("0.005", "0.01", "0.025", "0.05", "+Inf")] == [1, 1, 2, 3, 3]
    assert (took["get_submission", "60.0"], took["get_submission", "+Inf"]) == (0, 1)
    assert said["xqueue_gateway_request_seconds_sum"]["get_submission",] == 70


def test_a_call_that_takes_as_long_as_a_bound_is_within_it() -> None:
    said = shown(list(families_of(replace(READING, calls={"submit": counted(("ok", 0.5))}))))
    assert said["xqueue_gateway_request_seconds_bucket"]["submit", "0.25"] == 0
    assert said["xqueue_gateway_request_seconds_bucket"]["submit", "0.5"] == 1


def test_of_several_workers_what_they_count_is_added_up_and_the_worst_of_them_counts_for_all() -> None:
    other = replace(
        READING,
        state=TRYING,
        connections={"publishing": False, "asking": False},
        calls={"submit": counted(("ok", 0.02)), "status": counted(("ok", 0.001))},
        polls_waiting=4,
        ledger_lag=9.5,
        ledger_is_caught_up=False,
        replay_seconds=1,
    )
    said = shown(added_up(list(families_of(reading)) for reading in (READING, other, READING)))
    assert said["xqueue_gateway_requests_total"]["submit", "ok"] == 5
    assert said["xqueue_gateway_requests_total"]["status", "ok"] == 1
    assert said["xqueue_gateway_request_seconds_bucket"]["submit", "0.025"] == 5
    assert said["xqueue_gateway_request_seconds_count"]["submit",] == 7
    assert said["xqueue_gateway_polls_waiting"] == {(): 10}
    assert said["xqueue_gateway_ledger_lag_seconds"] == {(): 9.5}
    assert said["xqueue_gateway_ledger_caught_up"] == {(): 0}
    assert said["xqueue_gateway_replay_seconds"] == {(): 4}
    assert said["xqueue_gateway_broker_connection_up"] == {("publishing",): 0, ("asking",): 0}
    assert said["xqueue_gateway_workers"] == {(): 3}
    assert said["xqueue_gateway_state"] == {(SERVING,): 2, (TRYING,): 1, (LEAVING,): 0}


def test_of_workers_with_other_buckets_the_newest_are_shown_and_nothing_is_added_wrongly() -> None:
    old, new = (Family("seconds", "", (), (Sample((), numbers),), bounds=bounds) for numbers, bounds in
                (((1, 1, 0.2), (0.1,)), ((1, 2, 3, 0.7), (0.1, 1))))  # fmt: skip
    assert added_up([[old], [new]]) == [new]


def test_a_prometheus_takes_the_page_and_finds_nothing_wrong_with_its_names() -> None:
    page = generate_latest(registry_of(list(families_of(READING)))).decode()
    checked = promtool("check", "metrics", given=page)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_it_is_ready_while_it_serves() -> None:
    for state, is_ready in ((SERVING, True), (TRYING, False), (LEAVING, False)):
        reading = replace(READING, state=state)
        assert Figures(lambda reading=reading: reading).standing() == (state, is_ready)  # type: ignore[misc]
