"""The alert rules, and the cases in which they fire and are quiet, as data."""

import functools
from typing import Any

import yaml

from tests.support.project import text

Rule = dict[str, Any]


@functools.cache
def alert_rules() -> list[Rule]:
    groups = yaml.load(text("deploy/monitoring/alerts.yaml"), Loader=yaml.CSafeLoader)["groups"]
    return [rule for group in groups for rule in group["rules"]]


@functools.cache
def alert_cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.load(text("deploy/monitoring/alerts-tests.yaml"), Loader=yaml.CSafeLoader)[
        "tests"
    ]
    return found
