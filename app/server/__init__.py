"""The web process: the WSGI application, and gunicorn to run it."""
