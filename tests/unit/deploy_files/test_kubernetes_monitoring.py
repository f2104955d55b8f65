"""What is scraped is shown, by the names that the rules know, and the rules are those of deploy/monitoring."""

import pytest
import yaml

from tests.support.alert_rules import alert_rules
from tests.support.kustomize import named, site, templates
from tests.support.project import text

COMPONENTS = ("rabbitmq-operator", "uploads-volume", "passive", "upstream", "console", "monitoring")


def test_the_rules_reach_the_cluster_as_they_are() -> None:
    groups = named(site(*COMPONENTS), "PrometheusRule", "xqueue")["spec"]["groups"]
    assert [rule for group in groups for rule in group["rules"]] == alert_rules()


def test_what_is_scraped_has_the_names_and_filters_that_prometheus_itself_is_given() -> None:
    wanted = yaml.safe_load(text("deploy/monitoring/prometheus.yml"))["scrape_configs"]
    here = [
        endpoint
        for thing in site(*COMPONENTS)
        if thing["kind"] == "ServiceMonitor"
        for endpoint in thing["spec"]["endpoints"]
    ]
    assert {each["relabelings"][0]["replacement"] for each in here} == {each["job_name"] for each in wanted}
    [detailed] = [each for each in here if each["path"] != "/metrics"]
    [queues] = [each for each in wanted if "metrics_path" in each]
    assert (detailed["path"], detailed["params"]) == (queues["metrics_path"], queues["params"])
    assert detailed["metricRelabelings"][0]["regex"] == queues["metric_relabel_configs"][0]["regex"]


@pytest.mark.parametrize("component", ["gateway", "relay", "passive", "upstream", "console"])
def test_each_pod_is_scraped_by_itself_and_prometheus_may_come_in(component: str) -> None:
    monitor = named(site(*COMPONENTS), "ServiceMonitor", f"xqueue-{component}")["spec"]
    wanted = monitor["selector"]["matchLabels"]
    labelled = [thing for thing in site(*COMPONENTS) if wanted.items() <= thing["metadata"].get("labels", {}).items()]
    [service] = [thing["spec"] for thing in labelled if thing["kind"] == "Service"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
    assert {each["port"] for each in monitor["endpoints"]} <= {port["name"] for port in service["ports"]}
    assert [each["path"] for each in monitor["endpoints"]] == ["/metrics"]
    [*_, port] = dict(templates(site(*COMPONENTS)))[component]["spec"]["containers"][0]["ports"]
    assert port["name"] == "metrics"
    policy = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-metrics")["spec"]
    assert component in policy["podSelector"]["matchExpressions"][1]["values"]
    assert [each["ports"] for each in policy["ingress"]] == [[{"port": port["name"]}]]


def test_prometheus_may_come_in_where_rabbitmq_shows_its_metrics() -> None:
    [ingress] = named(site(*COMPONENTS), "NetworkPolicy", "xqueue-rabbitmq-metrics")["spec"]["ingress"]
    assert ingress["ports"] == [{"port": 15692}]  # of the plugin rabbitmq_prometheus
