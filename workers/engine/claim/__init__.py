"""Taking a slice: its claim, the limits that may forbid it, and loading its items."""
