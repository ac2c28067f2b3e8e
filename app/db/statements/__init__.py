"""The SQL of Batchline's own tables, a module a table.

A statement has a name of verb and noun (LOCK_BATCH, CLAIM_SLICE), and above it a comment that says
what it is for and by which index, or under which lock, it is quick. What comes in several variants
is made by a function with keyword arguments, `take_items_again(picked=True)`; whoever executes a
statement never edits its text. Parameters are named, and given by name. Where a statement yields
rows that are passed on, their type stands beside it.

`held_items` is the one definition of the items that a slice holds; everybody who asks for them
composes what it gives. `gauges` and `server` are about no one table. Dialects and handlers with
tables of their own have their SQL in a `statements` module beside them.
"""
