"""Leases (facts: who may hand in what until when) and holds (deliveries that this process keeps unacked)."""
