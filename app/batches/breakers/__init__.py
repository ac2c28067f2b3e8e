"""Breakers: operations of which nothing is begun while what they need is away.

`changing` is all that opens, tries and closes one, `by_hand` what an admin may; `telling` tells
webhooks, `waking` brings on what waited. Who counts, and asks before an item begins:
workers/engine/breakers and workers/engine/run/gate.py. What items and batches do meanwhile:
workers/engine/plan/held.py.
"""
