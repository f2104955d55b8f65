"""A site's figures, by queue, as a Prometheus takes them."""
