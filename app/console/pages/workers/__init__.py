"""Who works, and at what."""
