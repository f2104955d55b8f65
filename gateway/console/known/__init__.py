"""What the console knows: submissions from the ledger, and what the broker and the relay say now."""
