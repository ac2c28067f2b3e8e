"""The worker process itself: its heartbeat, sessions, time limits, watchdog and end."""
