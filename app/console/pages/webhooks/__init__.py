"""Who is told of events, and whether they took it."""
