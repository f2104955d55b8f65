"""What people see of it, and what operators do."""
