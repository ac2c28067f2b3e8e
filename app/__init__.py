"""Batchline's server: settings, database, the batch domain, the HTTP APIs and the command line."""
