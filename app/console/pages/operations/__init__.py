"""What can be done, and whether anybody does it."""
