"""What is planned by: how many slots there are, and what slices of an operation cost."""
