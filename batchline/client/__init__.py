"""A client of Batchline's own HTTP API, for the command line and `batchline serve`."""
