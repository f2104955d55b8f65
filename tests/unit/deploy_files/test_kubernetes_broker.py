"""The operator's RabbitMQ beside compose's, and who may reach whom."""

import re
from typing import Any

from broker_setup.queue_arguments import CONSUMER_TIMEOUT_MS
from broker_setup.settings import Settings
from tests.support.compose import SERVICES, filled
from tests.support.kustomize import Thing, environment, named, site, templates
from tests.support.project import text

OPERATORS = ("rabbitmq-operator", "uploads-volume", "passive", "upstream", "console", "monitoring")
EXISTING = ("rabbitmq-existing", "uploads-s3", "passive", "upstream", "console")
LINE = re.compile(r"^([\w.]+) = (\S+)$", re.MULTILINE)
BROKER = "xqueue-rabbitmq"

Labels = dict[str, str]
Way = tuple[str, Any]


def cluster() -> Thing:
    spec: Thing = named(site(*OPERATORS), "RabbitmqCluster", BROKER)["spec"]
    return spec


def test_it_is_composes_broker_with_composes_settings() -> None:
    assert cluster()["image"] == filled(SERVICES["broker"]["image"])
    ours = dict(LINE.findall(cluster()["rabbitmq"]["additionalConfig"]))
    assert ours == dict(LINE.findall(text("deploy/compose/rabbitmq.conf")))
    assert int(ours["consumer_timeout"]) == CONSUMER_TIMEOUT_MS


def test_it_sends_dead_letters_again_as_soon_as_composes_broker() -> None:
    pattern = r"\{dead_letter_worker_publisher_confirm_timeout, (\d+)\}"
    compose = re.findall(pattern, text("deploy/compose/advanced.config"))
    assert re.findall(pattern, cluster()["rabbitmq"]["advancedConfig"]) == compose == ["15000"]


def test_one_machine_has_one_node_and_one_goes_at_a_time() -> None:
    assert cluster()["replicas"] == 3
    spread = cluster()["override"]["statefulSet"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    labels = {"app.kubernetes.io/name": BROKER}
    assert all(each["labelSelector"] == {"matchLabels": labels} and each["maxSkew"] == 1 for each in spread)
    assert {each["topologyKey"]: each["whenUnsatisfiable"] for each in spread} == {
        "kubernetes.io/hostname": "DoNotSchedule",
        "topology.kubernetes.io/zone": "ScheduleAnyway",
    }
    budget = named(site(*OPERATORS), "PodDisruptionBudget", BROKER)["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, {"matchLabels": labels})


def test_its_disk_has_room_for_the_ledger_and_as_much_again() -> None:
    gibibytes = int(cluster()["persistence"]["storage"].removesuffix("Gi"))
    assert gibibytes * 1024**3 >= 2 * Settings().ledger_max_size


def test_its_memory_is_its_own() -> None:
    resources = cluster()["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"] == "2Gi"


def test_nobody_reaches_anything_but_as_is_said() -> None:
    pods = labels_of(OPERATORS)
    everywhere = named(site(*OPERATORS), "NetworkPolicy", "xqueue")["spec"]
    assert everywhere["policyTypes"] == ["Ingress", "Egress"]
    assert all(matches(everywhere["podSelector"], labels) for labels in pods.values())
    assert "ingress" not in everywhere
    assert everywhere["egress"] == [{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}]


def test_all_reach_the_broker_and_only_administrators_and_operators_its_management() -> None:
    for component, labels in labels_of(OPERATORS).items():
        assert may(OPERATORS, labels, {"app.kubernetes.io/name": BROKER}, 5672), component
        reached = may(OPERATORS, labels, {"app.kubernetes.io/name": BROKER}, 15672)
        asks = "MANAGEMENT_URL" in str(environments(OPERATORS)[component])
        assert reached == asks, component
    assert not may(OPERATORS, {"app.kubernetes.io/name": "lms"}, {"app.kubernetes.io/name": BROKER}, 5672)
    assert may(OPERATORS, {"xqueue/amqp-grader": "true"}, {"app.kubernetes.io/name": BROKER}, 5672)


def test_the_brokers_nodes_reach_each_other_for_all_that_they_do() -> None:
    nodes = {"app.kubernetes.io/name": BROKER}
    # Their names, Erlang's own, and the streams' copies.
    assert all(may(OPERATORS, nodes, nodes, port) for port in (4369, 25672, 6000, 6500))


def test_anybody_reaches_a_gateway_and_nobody_a_relay() -> None:
    pods, stranger = labels_of(OPERATORS), {"app.kubernetes.io/name": "lms"}
    assert may(OPERATORS, stranger, pods["gateway"], "http")
    assert not may(OPERATORS, stranger, pods["relay"], "metrics")
    metrics = named(site(*OPERATORS), "NetworkPolicy", "xqueue-metrics")["spec"]["ingress"]
    assert [list(each["from"][0]) for each in metrics] == [["namespaceSelector"]]


def test_who_calls_out_calls_no_address_of_a_link() -> None:
    outward = {
        thing["metadata"]["name"]: [to for each in thing["spec"]["egress"] for to in each.get("to", [])]
        for thing in site(*EXISTING)
        if thing["kind"] == "NetworkPolicy" and "ipBlock" in str(thing)
    }
    assert set(outward) == {"xqueue-relay", "xqueue-passive", "xqueue-upstream", "xqueue-to-uploads"}
    for blocks in outward.values():
        assert [each["ipBlock"]["except"] for each in blocks] == [["169.254.0.0/16"], ["fe80::/10"]]


def test_a_broker_that_exists_is_reached_with_tls_and_without() -> None:
    [egress] = named(site(*EXISTING), "NetworkPolicy", "xqueue-to-rabbitmq")["spec"]["egress"]
    assert {each["port"] for each in egress["ports"]} == {5672, 5671, 15672, 15671, 443}
    assert not [thing for thing in site(*EXISTING) if thing["kind"] == "RabbitmqCluster"]


def labels_of(components: tuple[str, ...]) -> dict[str, Labels]:
    return {component: template["metadata"]["labels"] for component, template in templates(site(*components))}


def environments(components: tuple[str, ...]) -> dict[str, dict[str, str]]:
    found = templates(site(*components))
    return {component: environment(template["spec"]["containers"][0]) for component, template in found}


def may(components: tuple[str, ...], one: Labels, other: Labels, port: int | str) -> bool:
    """Whether the policies let one pod of the namespace reach a port of another: both ends have to agree."""
    policies = [thing["spec"] for thing in site(*components) if thing["kind"] == "NetworkPolicy"]
    return agrees(policies, one, ("Egress", "egress", "to"), other, port) and agrees(
        policies, other, ("Ingress", "ingress", "from"), one, port
    )


def agrees(policies: list[Thing], end: Labels, way: tuple[str, str, str], peer: Labels, port: int | str) -> bool:
    kind, rules, whom = way
    its = [each for each in policies if kind in each["policyTypes"] and matches(each["podSelector"], end)]
    return not its or any(lets(rule, whom, peer, port) for policy in its for rule in policy.get(rules, []))


def lets(rule: Thing, whom: str, peer: Labels, port: int | str) -> bool:
    ports = [(each["port"], each.get("endPort", each["port"])) for each in rule.get("ports", [])]
    at = not ports or any(
        port == first or (isinstance(port, int) and isinstance(first, int) and first <= port <= last)
        for first, last in ports
    )
    peers = rule.get(whom, [{"podSelector": {}}])
    return at and any(
        "ipBlock" in each or ("podSelector" in each and matches(each["podSelector"], peer)) for each in peers
    )


def matches(selector: Thing, labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    return wanted.items() <= labels.items() and all(labels.get(each["key"]) in each["values"] for each in among)
