"""The domain: what a batch is and what may be done with it. Knows no HTTP and no Celery."""
