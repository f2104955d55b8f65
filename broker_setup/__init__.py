"""What every process agrees on about the broker: names, messages, the sealed return address, the connection."""
