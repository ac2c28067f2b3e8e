"""The shipped operations: by themselves on a real Postgres, and a few through the engine."""
