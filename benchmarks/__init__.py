"""How fast Batchline is, beside a chord with a message an item and plain SQL: `make bench`."""
