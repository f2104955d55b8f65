"""The operator's commands: what each is given, what it prints; the work itself is done by the modules beside."""
