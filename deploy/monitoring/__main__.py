"""`python -m deploy.monitoring`: makes what is made of something else here, to be committed with it."""

from deploy.monitoring import dashboard, kubernetes_rules


def main() -> None:
    """Write the files anew."""
    kubernetes_rules.PLACE.write_text(kubernetes_rules.prometheus_rule(), encoding="utf-8")
    dashboard.PLACE.write_text(dashboard.dashboard_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
