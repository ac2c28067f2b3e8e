"""The items of a batch."""
