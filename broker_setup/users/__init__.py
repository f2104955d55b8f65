"""The broker's users: what each may do, how they are made, and which of them may answer a queue."""
