"""Metrics as values that can be sent and added up: of one process, or of several that are one gateway; no I/O."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

TOTAL = "_total"


class Together(StrEnum):
    """What several processes come to: what they have is added up, or what the worst of them has counts for all."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"


class Sample(Struct, frozen=True):
    """The labels' values, and a number; of a histogram how many are in each bucket, and last their sum."""

    labels: tuple[str, ...]
    numbers: tuple[float, ...]


class Family(Struct, frozen=True):
    """All samples of a name: a counter's ends in `_total`, a histogram has the upper bounds of its buckets."""

    name: str
    text: str
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    together: Together = Together.SUM
    bounds: tuple[float, ...] = ()

    @property
    def only_grows(self) -> bool:
        """Whether it is a count of what has happened: it stays when what it is of has ended."""
        return bool(self.bounds) or self.name.endswith(TOTAL)


def number(name: str, text: str, value: float, together: Together = Together.SUM) -> Family:
    """Make a family of one sample without labels."""
    return Family(name, text, (), (Sample((), (float(value),)),), together)


def added_up(shown: Iterable[Sequence[Family]]) -> list[Family]:
    """Return what several processes come to; of different versions, perhaps, which have different names."""
    families: dict[str, Family] = {}
    for family in (family for each in shown for family in each):
        before = families.get(family.name)
        if before is None or before.bounds != family.bounds or before.labels != family.labels:
            families[family.name] = family
        else:
            families[family.name] = _both(before, family)
    return list(families.values())


def _both(one: Family, other: Family) -> Family:
    samples = {sample.labels: sample.numbers for sample in one.samples}
    for sample in other.samples:
        before = samples.get(sample.labels)
        samples[sample.labels] = _together(one.together, before, sample.numbers) if before else sample.numbers
    made = tuple(Sample(labels, numbers) for labels, numbers in samples.items())
    return Family(one.name, one.text, one.labels, made, one.together, one.bounds)


def _together(how: Together, one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    match how:
        case Together.SUM:
            return tuple(map(sum, zip(one, other, strict=True)))
        case Together.MOST:
            return tuple(map(max, one, other))
        case Together.LEAST:
            return tuple(map(min, one, other))


def shown(families: Iterable[Family]) -> Iterator[Metric]:
    """Make of them what Prometheus's library writes."""
    for family in families:
        if family.bounds:
            yield _histogram(family)
        elif family.name.endswith(TOTAL):
            counter = CounterMetricFamily(family.name.removesuffix(TOTAL), family.text, labels=family.labels)
            for sample in family.samples:
                counter.add_metric(sample.labels, sample.numbers[0])
            yield counter
        else:
            gauge = GaugeMetricFamily(family.name, family.text, labels=family.labels)
            for sample in family.samples:
                gauge.add_metric(sample.labels, sample.numbers[0])
            yield gauge


def _histogram(family: Family) -> HistogramMetricFamily:
    histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
    bounds = [*map(_written, family.bounds), "+Inf"]
    for sample in family.samples:
        *counts, total = sample.numbers
        histogram.add_metric(sample.labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return histogram


def _written(bound: float) -> str:
    return str(float(bound))
