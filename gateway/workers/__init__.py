"""Several gateways behind one port, for machines with several cores: a parent, and workers that it looks after."""
