"""Batchline for those who use it from outside."""
