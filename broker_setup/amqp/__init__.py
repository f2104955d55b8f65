"""AMQP 0-9-1 as our services speak it: messages, frames, channels and connections; nothing of XQueue's own."""
