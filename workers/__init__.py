"""The Celery application, its few tasks, and the engine that turns a batch into waves."""
