"""The engine: advance, wave, slice, settle, sweep. Functions on rows; Celery only calls them."""
