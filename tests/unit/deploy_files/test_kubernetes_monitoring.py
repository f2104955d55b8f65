"""What is scraped is shown, and the alerts are those of the page about metrics."""

import re

import pytest

from tests.support.kustomize import Thing, named, site, templates
from tests.support.project import table_rows, text

COMPONENTS = ("rabbitmq-operator", "uploads-volume", "passive", "monitoring")
PAGE = text("docs/reference/metrics.md").partition("## What to look at")[2].partition("## The bridge")[0]
# Expression and for how long, as the page has them.
WANTED = {row[0].strip("`"): row[1] for row in table_rows(PAGE)}


def rules() -> list[Thing]:
    [group] = named(site(*COMPONENTS), "PrometheusRule", "xqueue")["spec"]["groups"]
    found: list[Thing] = group["rules"]
    return found


def test_the_alerts_are_those_of_the_page() -> None:
    assert {rule["expr"]: as_the_page_says(rule.get("for")) for rule in rules()} == WANTED
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def as_the_page_says(time: str | None) -> str:
    return f"for {time.removesuffix('m')} min" if time else "at once"


def test_alerts_name_only_labels_that_their_metrics_keep() -> None:
    for rule in rules():
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            kept = re.search(r"by \(([^)]*)\)", rule["expr"])
            # Without an aggregation all labels stay; xqueue_relay_parked_total has these two.
            assert label in (kept[1].split(", ") if kept else ["origin", "reason"])


@pytest.mark.parametrize("component", ["relay", "passive"])
def test_each_pod_is_scraped_by_itself_and_prometheus_may_come_in(component: str) -> None:
    monitor = named(site(*COMPONENTS), "ServiceMonitor", f"xqueue-{component}")["spec"]
    wanted = monitor["selector"]["matchLabels"]
    labelled = [thing for thing in site(*COMPONENTS) if wanted.items() <= thing["metadata"].get("labels", {}).items()]
    [service] = [thing["spec"] for thing in labelled if thing["kind"] == "Service"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    assert {each["port"] for each in monitor["endpoints"]} <= {port["name"] for port in service["ports"]}
    assert [each["path"] for each in monitor["endpoints"]] == ["/metrics"]
    [port] = dict(templates(site(*COMPONENTS)))[component]["spec"]["containers"][0]["ports"]
    policy = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-metrics")["spec"]
    assert component in policy["podSelector"]["matchExpressions"][1]["values"]
    assert [each["ports"] for each in policy["ingress"]] == [[{"port": port["name"]}]]


def test_prometheus_may_come_in_where_rabbitmq_shows_its_metrics() -> None:
    [ingress] = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-rabbitmq-metrics")["spec"]["ingress"]
    assert ingress["ports"] == [{"port": 15692}]  # of the plugin rabbitmq_prometheus
