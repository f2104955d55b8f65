"""The local stack behind `make up`: virtual environment, private broker, gateway, relay, self-check."""
