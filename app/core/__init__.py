"""What everything stands on: settings, errors, ids, JSON text, logs, the state machines."""
