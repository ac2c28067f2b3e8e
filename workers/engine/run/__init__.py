"""A claimed slice, run: its items in order, each through its handler."""
