"""The engine's own functions on a real Postgres, with messages that the tests deliver."""
