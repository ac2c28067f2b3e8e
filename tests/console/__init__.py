"""The console: by HTTP, as a browser sends it."""
