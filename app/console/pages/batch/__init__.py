"""One batch, and what can be done with it."""
