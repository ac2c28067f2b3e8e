"""What a batch costs, counted: statements, commits, commands, messages, and processor time."""
