"""Celery as the way to the workers: how it is set up, and how work is handed over."""
