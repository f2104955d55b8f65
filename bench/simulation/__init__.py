"""The relay's own decisions with a clock, a broker and LMSs that are made up: hours of sickness in seconds."""
