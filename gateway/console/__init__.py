"""The console: a process of its own that follows the ledger, and shows people in a browser what goes on."""
