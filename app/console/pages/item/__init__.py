"""One item, and another try at it."""
