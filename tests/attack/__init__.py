"""`make attack`: what a hostile client can do, tried on a stack of its own.

An attack is a module here with an `ATTACK` (see `kinds`). While it is under way another client goes
on working (`caller`), and how long that one waits, what the web process takes of memory, and which
answers are errors of ours, become a row of the table.
"""
