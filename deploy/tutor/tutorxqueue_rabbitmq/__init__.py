"""The Tutor plugin that runs XQueue on RabbitMQ, in place of tutor-xqueue."""
