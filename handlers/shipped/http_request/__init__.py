"""An HTTP call an item."""
