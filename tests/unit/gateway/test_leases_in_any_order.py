"""A machine that grants, lets expire, redelivers and settles in any order, and checks what must always hold."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from broker_setup.messages import Submission
from gateway.leasing.leases import AMENDMENT_SECONDS, Leases, Refusal, Standing, Take

UUIDS = tuple(letter * 32 for letter in "abc")
DELAY = 10.0

uuids = st.sampled_from(UUIDS)


@dataclass
class Story:
    """What happened to one submission, as an onlooker would tell it."""

    keys: list[str] = field(default_factory=list)
    expires_at: float = -1.0
    ran_out: int = 0
    under_way: tuple[Take, bytes] | None = None
    results: list[bytes] = field(default_factory=list)
    settled_at: float = 0.0

    def standing(self, now: float) -> Standing:
        if self.results:
            return Standing.SETTLED
        return Standing.LEASED if self.expires_at > now or self.under_way else Standing.FREE


class Play(RuleBasedStateMachine):
    """Leases under the rules that CourseQueue and Results keep: grant only what is FREE, settle one at a time."""

    @initialize()
    def begin(self) -> None:
        self.leases = Leases()
        self.now = 0.0
        self.stories = {uuid: Story() for uuid in UUIDS}
        self.number = 0

    @rule(uuid=uuids)
    def a_delivery_comes_and_somebody_polls(self, uuid: str) -> None:
        story = self.stories[uuid]
        standing = self.leases.standing(uuid, self.now)
        assert standing is story.standing(self.now)
        if standing is not Standing.FREE:
            return
        # Never two running leases, never a lease beside a result on its way, never a lease of what is settled.
        assert story.expires_at <= self.now
        assert story.under_way is None
        assert not story.results
        self.number += 1
        key = f"{self.number:032x}"
        self.leases.grant(Submission(uuid, "openedx", "work", "sealed"), key, self.now + DELAY)
        story.keys.append(key)
        story.expires_at = self.now + DELAY
        story.ran_out = 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, DELAY, AMENDMENT_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for lease in self.leases.run_out(self.now):
            story = self.stories[lease.submission]
            assert story.standing(self.now) is Standing.FREE
            assert lease.expires_at == story.expires_at <= self.now
            story.ran_out += 1
        for story in self.stories.values():
            assert story.ran_out <= 1, "a lease runs out once"
            if story.keys and story.standing(self.now) is Standing.FREE:
                assert story.ran_out == 1, "a lease that ran out was forgotten"

    @rule(uuid=uuids, which=st.integers(0, 3), digest=st.sampled_from([b"one", b"two"]))
    def a_result_comes(self, uuid: str, which: int, digest: bytes) -> None:
        story = self.stories[uuid]
        if story.under_way or not story.keys:
            return
        key = story.keys[-1 - min(which, len(story.keys) - 1)]
        verdict = self.leases.judge(int(uuid, 16) & (2**53 - 1), key, digest, self.now)
        if key != story.keys[-1]:
            assert verdict is Refusal.WRONG_KEY
        elif not story.results:
            assert isinstance(verdict, Take)
            assert verdict.amendment == 0
        elif digest == story.results[-1]:
            assert verdict is Refusal.REPEAT
        elif self.now - story.settled_at <= AMENDMENT_SECONDS:
            assert isinstance(verdict, Take)
            assert verdict.amendment == len(story.results) > 0
        else:
            assert verdict is Refusal.WRONG_KEY
        if isinstance(verdict, Take):
            self.leases.begin_settling(verdict.lease)
            story.under_way = (verdict, digest)

    @precondition(lambda self: any(story.under_way for story in self.stories.values()))
    @rule(data=st.data(), outcome=st.sampled_from(["confirmed", "lost"]))
    def the_broker_confirms_or_does_not(self, data: st.DataObject, outcome: str) -> None:
        story = data.draw(st.sampled_from([story for story in self.stories.values() if story.under_way]))
        assert story.under_way
        take, digest = story.under_way
        story.under_way = None
        if outcome == "confirmed":
            self.leases.settle(take.lease, digest, self.now)
            story.results.append(digest)
            story.settled_at = self.now
        else:
            self.leases.settling_failed(take.lease)
            # Its expiry, if it had passed meanwhile, is told now.
            story.ran_out = 0

    @rule(uuid=uuids, key=st.text(max_size=4))
    def a_stranger_guesses(self, uuid: str, key: str) -> None:
        expected = Refusal.WRONG_KEY if self.stories[uuid].keys else Refusal.UNKNOWN_SUBMISSION
        assert self.leases.judge(int(uuid, 16) & (2**53 - 1), key, b"one", self.now) is expected

    @invariant()
    def everybody_agrees_on_what_may_be_handed_out(self) -> None:
        for uuid, story in self.stories.items():
            assert self.leases.standing(uuid, self.now) is story.standing(self.now)
        running = [s for s in self.stories.values() if s.expires_at > self.now and not s.results]
        assert self.leases.count(self.now) == len(running)

    def teardown(self) -> None:
        """Whatever was left running ends in the end: nothing is held for ever."""
        for story in self.stories.values():
            if story.under_way:
                self.leases.settling_failed(story.under_way[0].lease)
                story.under_way = None
        end = self.now + 2 * DELAY
        for uuid, story in self.stories.items():
            expected = Standing.SETTLED if story.results else Standing.FREE
            assert self.leases.standing(uuid, end) is expected


TestLeasesInAnyOrder = Play.TestCase
TestLeasesInAnyOrder.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
