"""The dashboard for Grafana 11, of what panels.py has; dashboard.json is what comes of it."""

import json
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption, VariableRefresh, VariableSort

from deploy.monitoring.panels import ROWS, Panel

PLACE = Path(__file__).parent / "dashboard.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
# Of a grid that is 24 wide.
NUMBER_SPAN, NUMBER_HEIGHT = 3, 4
PLOT_SPAN, PLOT_HEIGHT = 12, 8


def dashboard_json() -> str:
    """Return the file's text."""
    made = (
        dashboard.Dashboard("XQueue")
        .uid("xqueue")
        .description("What waits, who grades, where results are, and how XQueue and its broker fare.")
        .tags(["xqueue"])
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .editable()
        .with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("queue")
            .label("Queue")
            .datasource(SOURCE)
            .query("label_values(xqueue_queue_waiting, queue)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")
            .current(VariableOption(selected=True, text="All", value="$__all"))
        )
    )
    ids = count(1)
    for title, panels in ROWS.items():
        made.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels:
            made.with_panel((_number(panel) if panel.is_number else _plot(panel)).id(next(ids)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _number(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.about)
        .datasource(SOURCE)
        .unit(panel.unit)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(NUMBER_SPAN)
        .height(NUMBER_HEIGHT)
    )
    for query in _queries(panel):
        made.with_target(query)
    return made


def _plot(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.about)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .fill_opacity(10)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .span(PLOT_SPAN)
        .height(PLOT_HEIGHT)
    )
    for query in _queries(panel):
        made.with_target(query)
    return made


def _queries(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + place)).datasource(SOURCE)
        for place, (legend, expression) in enumerate(panel.asks.items())
    ]
