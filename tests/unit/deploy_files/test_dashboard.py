"""The dashboard's file is what its code makes, and lays out."""

import json
from itertools import combinations
from typing import Any

from deploy.monitoring import dashboard

MADE: dict[str, Any] = json.loads(dashboard.PLACE.read_text())
PANELS: list[dict[str, Any]] = MADE["panels"]


def test_the_file_is_what_the_code_makes() -> None:
    assert dashboard.PLACE.read_text() == dashboard.dashboard_json(), "python -m deploy.monitoring"


def test_each_panel_has_a_number_of_its_own_and_no_two_lie_on_each_other() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = any(
            first[start] + first[size] <= second[start]
            for start, size in (("x", "w"), ("y", "h"))
            for first, second in ((one, other), (other, one))
        )
        assert apart, (one, other)


def test_each_question_goes_to_the_chosen_prometheus_and_its_answers_have_names() -> None:
    for panel in PANELS:
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${source}"
            assert target["legendFormat"]
