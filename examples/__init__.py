"""Graders that speak AMQP, to read and to begin with; docs/reference/amqp.md is about them."""
