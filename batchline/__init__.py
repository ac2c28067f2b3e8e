"""Batchline from outside: what runs where the callers are, and needs none of the server."""
