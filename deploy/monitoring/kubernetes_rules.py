"""The alert rules as the Prometheus operator takes them: those of alerts.yaml, letter by letter."""

from pathlib import Path
from textwrap import indent

FOLDER = Path(__file__).parent
RULES = FOLDER / "alerts.yaml"
PLACE = FOLDER.parent / "kubernetes/components/monitoring/alerts.yaml"

HEAD = """\
# Made of deploy/monitoring/alerts.yaml, with its comments; change that, then: python -m deploy.monitoring
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: xqueue
  labels:
    app.kubernetes.io/name: xqueue
    app.kubernetes.io/part-of: xqueue
spec:
"""


def prometheus_rule() -> str:
    """Return the file's text."""
    _, _, rules = RULES.read_text(encoding="utf-8").partition("---\n")
    return HEAD + indent(rules, "  ")
