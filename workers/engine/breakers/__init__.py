"""What a worker process knows of breakers, and counts for them.

A slice all of whose items succeed asks nothing for it: which breakers are open comes with a
statement that it makes anyway (HOLD_CLAIM, before its items and each half second while they run),
and what went well is told with the heartbeat.
"""
