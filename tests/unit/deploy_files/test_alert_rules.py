"""Each alert says how much, what it means and what to do, has a section for whoever is called, and two cases."""

import re

import pytest

from deploy.monitoring import kubernetes_rules
from tests.support.alert_rules import Rule, alert_cases, alert_rules
from tests.support.project import ROOT, text
from tests.support.promtool import promtool

FOLDER = ROOT / "deploy/monitoring"
RULES = alert_rules()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text("docs/howto/alerts.md"), re.MULTILINE | re.DOTALL))
UNITS = {"m": "min", "h": "hours"}


def fired(rule: Rule) -> dict[str, str]:
    """The labels with which it fires in its case."""
    [case] = [each for each in alert_cases() if each["name"] == f"{rule['alert']} fires"]
    [expected] = case["promql_expr_test"]
    [sample] = expected["exp_samples"]
    return dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))


def test_prometheus_takes_rules_and_configuration() -> None:
    for checked in (("rules", "alerts.yaml"), ("config", "prometheus.yml")):
        said = promtool("check", checked[0], FOLDER / checked[1])
        assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_fires_when_it_should_and_at_no_other_time() -> None:
    said = promtool("test", "rules", FOLDER / "alerts-tests.yaml")
    assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_has_a_case_that_fires_and_one_that_is_quiet() -> None:
    cases = [(case["name"].partition(" ")[0], case["promql_expr_test"][0]) for case in alert_cases()]
    for rule in RULES:
        fires = [bool(tried.get("exp_samples")) for alert, tried in cases if alert == rule["alert"]]
        assert set(fires) == {True, False}, rule["alert"]
    assert {alert for alert, _ in cases} == {rule["alert"] for rule in RULES}
    assert all(tried["expr"] == f'ALERTS{{alertname="{alert}",alertstate="firing"}}' for alert, tried in cases)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_much_what_it_means_and_what_to_do(rule: Rule) -> None:
    notes = rule["annotations"]
    assert sorted(notes) == ["action", "description", "runbook", "summary"]
    assert re.search(r"\d|\$value", notes["description"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    # What it names of the series that set it off is there.
    assert set(re.findall(r"\$labels\.(\w+)", str(notes))) <= set(fired(rule))
    assert fired(rule)["severity"] == rule["labels"]["severity"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_a_section_that_agrees_with_it(rule: Rule) -> None:
    assert rule["annotations"]["runbook"] == f"docs/howto/alerts.md#{rule['alert'].lower()}"
    section = SECTIONS[rule["alert"]]
    assert section.strip().startswith(f"*{rule['labels']['severity'].capitalize()}: ")
    if time := rule.get("for"):
        assert f"for {time[:-1]} {UNITS[time[-1]]}".replace("1 hours", "an hour") in section


def test_no_section_is_of_an_alert_that_there_is_not() -> None:
    assert list(SECTIONS) == [rule["alert"] for rule in RULES]


def test_kubernetes_has_the_same_rules() -> None:
    assert kubernetes_rules.PLACE.read_text() == kubernetes_rules.prometheus_rule(), "python -m deploy.monitoring"
