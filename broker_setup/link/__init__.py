"""How a process talks to the broker: a supervised connection, and what is published and consumed over it."""
