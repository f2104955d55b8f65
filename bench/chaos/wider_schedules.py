"""What else is played: of these only the promises are judged, since what is away for how long is no promise there."""

from bench.chaos.cluster import Leaders
from bench.chaos.cuts import is_cut_off, node_is_cut
from bench.chaos.faults import freezes
from bench.chaos.process_faults import (
    all_nodes_die,
    brokers_restart,
    disk_alarm,
    lms_is_away,
    memory_alarm,
    nothing,
    process_dies,
    process_freezes,
)
from bench.chaos.schedules import A_IS_THERE, ELSEWHERE, NOBODY_THERE, SCHEDULES, VICTIM, Schedule
from bench.chaos.site import AMQP_GRADER, BRIDGE, GATEWAYS, RELAYS

A, _, C = GATEWAYS
RELAY = RELAYS[0]
LEADS_ALL = Leaders(course=VICTIM, ledger=VICTIM, results=VICTIM)
CLOCK_OFF = 90

WIDER = (
    *(
        Schedule(f"{name} is killed", "", ELSEWHERE, NOBODY_THERE, process_dies(name), 10)
        for name in (A, RELAY, BRIDGE, AMQP_GRADER)
    ),
    *(
        Schedule(f"{name} stands still for {seconds} s", "", ELSEWHERE, NOBODY_THERE, process_freezes(name), seconds)
        for name in (A, RELAY)
        for seconds in (20, 60)
    ),
    *(
        Schedule(f"the leaders' node stands still for {seconds} s", "", LEADS_ALL, A_IS_THERE, freezes(VICTIM), seconds)
        for seconds in (20, 60)
    ),
    Schedule("gateway a is heard but hears nothing", "", ELSEWHERE, NOBODY_THERE, is_cut_off(A, sends=True), 30),
    Schedule("gateway a hears but is not heard", "", ELSEWHERE, NOBODY_THERE, is_cut_off(A, hears=True), 30),
    Schedule(
        "a node's packets are dropped both ways", "", LEADS_ALL, A_IS_THERE, node_is_cut(VICTIM), 40,
        takes_namespace=True,
    ),
    Schedule(
        "a node is heard but hears nothing", "", LEADS_ALL, A_IS_THERE, node_is_cut(VICTIM, is_heard=True), 40,
        takes_namespace=True,
    ),
    Schedule(
        "a node hears but is not heard", "", LEADS_ALL, A_IS_THERE, node_is_cut(VICTIM, hears=True), 40,
        takes_namespace=True,
    ),
    Schedule("the brokers restart one after the other", "", ELSEWHERE, NOBODY_THERE, brokers_restart, 5),
    Schedule("all nodes die at once", "", ELSEWHERE, NOBODY_THERE, all_nodes_die, 5),
    Schedule("a memory alarm", "", ELSEWHERE, NOBODY_THERE, memory_alarm, 20),
    Schedule("a disk alarm", "", ELSEWHERE, NOBODY_THERE, disk_alarm, 20),
    Schedule(
        f"gateway c's clock is {CLOCK_OFF} s ahead", "", ELSEWHERE, NOBODY_THERE, nothing, 30, clocks={C: CLOCK_OFF}
    ),
    Schedule("the LMS is away", "", ELSEWHERE, NOBODY_THERE, lms_is_away, 30),
)  # fmt: skip

ALL = (*SCHEDULES, *WIDER)
