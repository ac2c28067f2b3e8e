"""The engine: advance, wave, slice, settle, sweep. Plain functions on rows; Celery only calls them."""
