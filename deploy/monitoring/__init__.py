"""What other tools take to watch over XQueue: rules and configuration for Prometheus, a dashboard for Grafana."""
