"""What several workers come to: what one that has ended had counted stays, and how it was does not."""

from dataclasses import replace

from gateway.figures.families import Family
from gateway.figures.gateway_figures import Reading, families_of
from gateway.figures.process_families import process_families
from gateway.http.readiness import LEAVING, SERVING, TRYING
from gateway.workers.tally import FRESH_SECONDS, Tally, encode_report
from tests.support.gateway_reading import READING, counted

SUBMITS = "xqueue_gateway_requests_total"


def tally_of(*readings: Reading, at: float = 0.0) -> Tally:
    tally = Tally()
    for pid, reading in enumerate(readings):
        tally.heard(pid, encode_report(list(families_of(reading))), at)
    return tally


def numbers(tally: Tally, name: str, *labels: str, now: float = 1.0) -> float | None:
    [family] = [family for family in tally.families(now) if family.name == name] or [Family(name, "", (), ())]
    return next((sample.numbers[0] for sample in family.samples if sample.labels == labels), None)


def test_the_last_report_of_each_counts() -> None:
    tally = tally_of(READING, READING)
    assert numbers(tally, SUBMITS, "submit", "ok") == 4
    more = replace(READING, calls={"submit": counted(*[("ok", 0.1)] * 7)})
    tally.heard(0, encode_report(list(families_of(more))), 0.5)
    assert numbers(tally, SUBMITS, "submit", "ok") == 9
    assert numbers(tally, "xqueue_gateway_workers") == 2


def test_what_one_that_has_ended_had_counted_stays_and_how_it_was_does_not() -> None:
    tally = tally_of(READING, READING)
    tally.ended(0)
    tally.ended(99)  # it never came to report
    assert numbers(tally, SUBMITS, "submit", "ok") == 4
    assert numbers(tally, "xqueue_gateway_held") == READING.held
    tally.ended(1)
    assert numbers(tally, SUBMITS, "submit", "ok") == 4
    assert numbers(tally, "xqueue_gateway_held") is None


def test_of_one_that_says_nothing_any_more_what_it_counted_is_all_that_is_known() -> None:
    tally = tally_of(READING)
    assert numbers(tally, "xqueue_gateway_held", now=FRESH_SECONDS - 1) == READING.held
    assert numbers(tally, "xqueue_gateway_held", now=FRESH_SECONDS + 1) is None
    assert numbers(tally, SUBMITS, "submit", "ok", now=FRESH_SECONDS + 1) == 2


def test_one_that_serves_is_enough_and_none_is_not() -> None:
    serving, trying, leaving = (replace(READING, state=state) for state in (SERVING, TRYING, LEAVING))
    assert tally_of(leaving, trying, serving).standing(1) == (SERVING, True)
    assert tally_of(leaving, trying).standing(1) == (TRYING, False)
    assert tally_of(leaving, leaving).standing(1) == (LEAVING, False)
    assert Tally().standing(1) == (TRYING, False)


def test_a_report_of_another_version_that_can_not_be_read_is_passed_over() -> None:
    tally = tally_of(READING)
    for report in (b"", b"\x01", b"no report"):
        tally.heard(0, report, 0.5)
    assert numbers(tally, SUBMITS, "submit", "ok") == 2


def test_what_the_processes_take_is_added_up() -> None:
    tally = Tally()
    own = list(process_families())
    for pid in (1, 2):
        tally.heard(pid, encode_report(own), 0)
    [memory] = [family.samples[0].numbers[0] for family in own if family.name == "process_resident_memory_bytes"]
    [cpu] = [family.samples[0].numbers[0] for family in own if family.name == "process_cpu_seconds_total"]
    assert numbers(tally, "process_resident_memory_bytes") == 2 * memory
    tally.ended(1)
    assert numbers(tally, "process_resident_memory_bytes") == memory
    assert numbers(tally, "process_cpu_seconds_total") == 2 * cpu
