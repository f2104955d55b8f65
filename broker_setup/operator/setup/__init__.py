"""What the broker needs: topology, users, policies."""
