"""A client of Batchline's own HTTP API: what the command line and `batchline serve` talk through."""
