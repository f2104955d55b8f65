"""From a course queue of RabbitMQ itself, as docs/reference/amqp.md has it."""
