"""The HTTP side of the gateway: the route table, the calls behind it, and the legacy envelope."""
