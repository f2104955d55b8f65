"""What is simulated: each scenario builds a world, lets time go by, and says what it measured against a goal."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from bench.goals import Figure
from bench.simulation.lms import OUTAGES, QUICK, SICK, Reply, always, away, well, with_a_broken_problem
from bench.simulation.world import ORIGIN, World
from callback_relay.job import Identity, Job
from callback_relay.outcome import Answered
from callback_relay.verdict import Patience, Tell

MINUTE, HOUR = 60.0, 3600.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the sorted values is."""
    return values[min(len(values) - 1, int(len(values) * share))]


def broken_before_good(seed: int = 1) -> list[Figure]:
    """Put 200 results of a deleted problem before 200 good ones."""
    world = World({ORIGIN: with_a_broken_problem}, seed=seed)
    for number in range(200):
        world.put(f"broken/{number}")
    good = [world.put(f"good/{number}") for number in range(200)]
    took = world.run(2 * MINUTE).latencies(good)
    name = "200 results of a broken problem, then 200 good ones"
    return [
        Figure(name, "good, median", percentile(took, 0.5), 2),
        Figure(name, "good, p99", percentile(took, 0.99), 10),
    ]


def steady_mixture(seconds: float = MINUTE, seed: int = 1) -> list[Figure]:
    """Let 50 come in a second, and each second one on average be of a broken problem."""
    world, chance = World({ORIGIN: with_a_broken_problem}, seed=seed), Random(seed)
    good = []
    for number in range(int(50 * seconds)):
        is_broken = chance.random() < 0.5
        put = world.put(f"{'broken' if is_broken else 'good'}/{number}", at=number / 50)
        if not is_broken:
            good.append(put)
    took = world.run(seconds + MINUTE).latencies(good)
    return [Figure("50 a second, half of them broken", "good, p99", percentile(took, 0.99), 5)]


def outage(kind: str, reply: Reply, seconds: float, within: float, *, count: int = 500) -> list[Figure]:
    """Let an LMS fail everything for a while, in which results keep coming."""
    since = 10.0
    mended = since + seconds
    world = World({ORIGIN: away(reply, since, mended)}, tick=0.25 if seconds < HOUR else 1.0)
    for number in range(100):
        world.put(f"before/{number}", at=number / 100)
    results = [world.put(f"during/{number}", at=since + number * seconds / count) for number in range(count)]
    outcomes = world.run(mended + within + 10 * MINUTE)
    after = sorted(outcomes.delivered_at.get(each, float("inf")) - mended for each in results)
    name = f"{kind} for {seconds / MINUTE:g} min"
    return [
        Figure(name, "99 % of 500 after its mending", percentile(after, 0.99), within),
        Figure(name, "parked", len(outcomes.parked), 0),
    ]


def too_long(hours: float = 3) -> list[Figure]:
    """Let an LMS be down for longer than results are tried: 3 days unless set, and as many hours here."""
    seconds = hours * HOUR
    world = World({ORIGIN: away(OUTAGES["503"], 0, 2 * seconds - MINUTE)}, patience=Patience(5, seconds), tick=1.0)
    early = [world.put(f"early/{number}") for number in range(50)]
    late = [world.put(f"late/{number}", at=seconds) for number in range(50)]
    outcomes = world.run(seconds + MINUTE)
    name = f"503 for longer than CALLBACK_MAX_AGE ({hours:g} h)"
    untold = sum(park.tell is Tell.NEVER for park in outcomes.parked.values())
    figures = [
        Figure(name, "of 50 put at first, not parked", sum(each not in outcomes.parked for each in early), 0),
        Figure(name, "parked, students not told", untold, 0),
        Figure(name, "of 50 put at its end, parked", sum(each in outcomes.parked for each in late), 0),
    ]
    world.run(2 * seconds)
    return [*figures, Figure(name, "of those, not delivered once it is mended", _missing(world, late), 0)]


def null_scores() -> list[Figure]:
    """Let 4 results come that the LMS answers 500 for ever, then good ones of other courses."""
    world = World({ORIGIN: with_a_broken_problem})
    for number in range(4):
        world.put(f"broken/{number}")
    good = [world.put(f"good/{number}", at=0.5 + number / 10) for number in range(100)]
    took = world.run(MINUTE).latencies(good)
    return [Figure("4 results with a null score, then good ones", "good, slowest", took[-1], 0.2)]


def second_submission() -> list[Figure]:
    """Let a student's first result fail for ever, and his second come 30 s later."""

    def lms(job: Job, _: float) -> Reply:
        return Answered(500 if job.identity.submission == "first" else 200), QUICK

    world = World({ORIGIN: lms})
    first = world.put_again("first", "same", at=0)
    second = world.put_again("second", "same", at=30)
    for number in range(1200):
        world.put(f"others/{number}", at=number / 2)
    outcomes = world.run(10 * MINUTE)
    name = "a student's second submission behind a first that fails"
    return [
        Figure(name, "the second", outcomes.latencies([second])[0], 0.2),
        Figure(name, "the first, not given up", int(first not in outcomes.given_up), 0),
    ]


def the_257() -> list[Figure]:
    """Let an LMS be away for 5.5 min with 257 results, as it was seen."""
    seconds = 5.5 * MINUTE
    world = World({ORIGIN: away(OUTAGES["no connection"], 0, seconds)})
    results = [world.put(f"any/{number}", at=number * seconds / 257) for number in range(257)]
    outcomes = world.run(seconds + 2 * HOUR)
    after = sorted(outcomes.delivered_at.get(each, float("inf")) - seconds for each in results)
    name = "257 results, away for 5.5 min"
    return [
        Figure(name, "the first after its mending", after[0], 15),
        Figure(name, "the last after its mending", after[-1], 60),
    ]


def slow_strangers(count: int = 3000) -> list[Figure]:
    """Let a stranger name 3,000 origins that hang, beside a good LMS."""
    origins = [f"http://stranger{number}" for number in range(count)]
    world = World({ORIGIN: with_a_broken_problem} | dict.fromkeys(origins, away(OUTAGES["timeout"], 0, HOUR)))
    world.put("before")
    for origin in origins:
        world.put("any", at=1, origin=origin)
    good = [world.put(f"good/{number}", at=2 + number / 10) for number in range(600)]
    took = world.run(2 * MINUTE).latencies(good)
    name = f"{count} origins that hang, beside a good LMS"
    return [Figure(name, "good, p99", percentile(took, 0.99), 3), Figure(name, "good, slowest", took[-1], 5)]


def beside_a_sick_one(seconds: float = 20) -> list[Figure]:
    """Let an LMS that is well have 50 results a second, alone and beside as many of one that is sick."""

    def p99(reply: Reply | None) -> float:
        world = World({ORIGIN: well, "http://sick": always(reply) if reply else well})
        good = []
        for number in range(int(50 * seconds)):
            good.append(world.put(f"good/{number}", at=number / 50))
            if reply:
                world.put(f"sick/{number}", at=number / 50, origin="http://sick")
        return percentile(world.run(seconds + MINUTE).latencies(good), 0.99)

    alone = p99(None)
    name = "an LMS that is well, beside one that is sick"
    return [Figure(name, f"{kind}: p99, in what it is alone", p99(reply) / alone, 1.2) for kind, reply in SICK.items()]


def a_third_down(seconds: float = 30) -> list[Figure]:
    """Let 200 come in a second, for six LMSs of which one refuses connections and one hangs."""
    rate, kinds = 200, [always(SICK["down"]), always(SICK["hanging"]), well, well, well, well]
    origins = {f"http://lms{number}": lms for number, lms in enumerate(kinds)}
    world, good = World(origins), []
    for number in range(int(rate * seconds)):
        origin = f"http://lms{number % len(origins)}"
        put = world.put(f"any/{number}", at=number / rate, origin=origin)
        if origins[origin] is well:
            good.append(put)
    most = 0
    for half_seconds in range(1, int(2 * seconds) + 1):
        world.run(half_seconds / 2)
        most = max(most, world.waiting)
    took = world.run(seconds + MINUTE).latencies(good)
    name = f"{rate} a second, a third for LMSs that are down"
    return [Figure(name, "others, p99", percentile(took, 0.99), 1), Figure(name, "waiting at most", most, rate)]


def many_held(count: int = 5_000) -> list[Figure]:
    """Let very many wait for a sick LMS: the rungs must not be busy with them."""
    world = World({ORIGIN: away(OUTAGES["no connection"], 0, HOUR)})
    for number in range(count):
        world.put(f"any/{number}", at=number * MINUTE / count)
    before = world.run(2 * MINUTE).rung_waits
    churn = (world.run(3 * MINUTE).rung_waits - before) / MINUTE
    return [Figure(f"{count} results for an LMS that is away", "a second over the rungs", churn, 600)]


def _missing(world: World, results: Sequence[Identity]) -> int:
    return sum(each not in world.outcomes.delivered_at for each in results)


SCENARIOS: Mapping[str, Callable[[], list[Figure]]] = {
    "broken before good": broken_before_good,
    "steady mixture": steady_mixture,
    **{f"{kind}, 10 min": partial(outage, kind, reply, 10 * MINUTE, MINUTE) for kind, reply in OUTAGES.items()},
    **{
        f"{kind}, 3 h": partial(outage, kind, reply, 3 * HOUR, 5 * MINUTE)
        for kind, reply in OUTAGES.items()
        if kind in {"503", "404", "no connection", "timeout"}
    },
    "too long": too_long,
    "null scores": null_scores,
    "second submission": second_submission,
    "257 results": the_257,
    "slow strangers": slow_strangers,
    "beside a sick one": beside_a_sick_one,
    "a third down": a_third_down,
    "many held": many_held,
}
