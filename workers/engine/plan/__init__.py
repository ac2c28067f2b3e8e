"""From a batch to its next wave: which items are due, cut into slices, written down and sent."""
