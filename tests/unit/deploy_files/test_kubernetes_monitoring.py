"""What is scraped is shown, and the alerts are those of the page about metrics."""

import re

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


def test_every_relay_is_scraped_by_itself() -> None:
    monitor = named(site(*COMPONENTS), "ServiceMonitor", "xqueue-relay")["spec"]
    [service] = [
        thing
        for thing in site(*COMPONENTS)
        if thing["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= thing["metadata"]["labels"].items()
    ]
    assert service["spec"]["clusterIP"] == "None"
    assert {each["port"] for each in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    assert [each["path"] for each in monitor["endpoints"]] == ["/metrics"]


def test_prometheus_may_come_in_where_it_scrapes() -> None:
    [port] = dict(templates(site(*COMPONENTS)))["relay"]["spec"]["containers"][0]["ports"]
    [ingress] = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-relay-metrics")["spec"]["ingress"]
    assert ingress["ports"] == [{"port": port["name"]}]
    [ingress] = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-rabbitmq-metrics")["spec"]["ingress"]
    assert ingress["ports"] == [{"port": 15692}]  # of the plugin rabbitmq_prometheus
