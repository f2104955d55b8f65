"""Whether the services can start with the settings, without starting any."""
