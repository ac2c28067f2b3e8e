"""What a peer may take of a web process: time, memory, connections, places.

All of it is for each process, and none of it is a setting: these are what keeps one caller's
slowness from being another's, and nobody needs more.
"""

from __future__ import annotations

import resource

KIB = 1024
MIB = 1024 * KIB

# Time, in seconds
HEAD_SECONDS = 15.0
"""For a request's head, from its first byte or, on a new connection, from the beginning."""
LEAST_BYTES = 30 * KIB
LEAST_WITHIN = 30.0
"""A body brings so much in each such stretch of time that is spent waiting for it."""
UNREAD_SECONDS = 30.0
"""An answer of which nothing was taken for so long is broken off."""
LINE_SECONDS = 30.0
"""A request that got no place within this is told to come back."""
LINGER_SECONDS = 5.0
"""What still arrives on a connection that is being closed is read, so that the answer arrives."""
STOP_LINGER_SECONDS = 2.0
"""A stopping process keeps idle connections so long: a request may already be on its way."""
STORING_SECONDS = 30.0
"""A submission that got no place to be stored in within this is told to come back."""
PATIENCE_SECONDS = 0.25
"""A small body that is not whole by then is given a thread, which sees to its idempotency key."""
HELD_SECONDS = 0.5
"""Who asks on although it is told to wait (429) is told so after this, and at the next look around,
which is each second."""
SLICE_SECONDS = 0.05
"""An answer in pieces that has been at work so long goes to the end of its client's line."""

SWITCH_SECONDS = 0.0002
"""A thread computes so long before another has its turn. A request needs some ten turns, and with
Python's own five milliseconds each of them would wait for what others compute."""

# Memory, in bytes
LONGEST_HEAD = 32 * KIB
SMALL_BODY = 32 * KIB
"""Of a body so much is collected before a thread is given to its request."""
AHEAD = 256 * KIB
"""Of an answer in pieces so much is made ahead of what the peer has taken."""
PAGE = 3 * MIB
"""An answer that is made as it is taken keeps so much besides: the page of the list that it is at
(app/batches/item_pages.py), what is being made of that, and what packs it."""
MOST_BEGUN = 16
"""So many answers that have been begun wait at the end of their clients' lines to go on. Past it
they go before what has not: or of thousands of lists all would be begun, and keep a page each."""
MOST_UNREAD = 192 * MIB
"""Of answers that wait to be taken, with what they keep besides, there is so much in all. Past it
one goes of whichever client has most of it: the one that was last read longest ago. So who has many
answers and reads them slowly, or not at all, loses some of these, and others none of theirs."""

# Places
MOST_CONNECTIONS = 5000
AT_WORK = 8
"""Requests at work at once. More would wait for connections to Postgres, and each other."""
RECEIVING = 64
"""Bodies, other than small ones, that arrive at once."""
STORING = 4
"""Submissions of many items that are written at once. With those at work, and a moment's connection
more for whoever keeps an idempotency key alive, these are fewer than the pool's connections."""
QUEUED = 24
"""Submissions that wait in their threads to be stored, beside those that have a place to send a
body in. So many threads there are besides these, those who wait for a batch and those at work."""
EACH = 2
"""A client has at most this part of the places: a half. A single one, however much it asks for,
leaves as much to all others as it has; a smaller part would leave places empty while one client
works alone, which is the rule. Two that take all they can leave the third its turn: the next."""
SPARE = 4
"""Of the places that are held for long, to send bodies in and to wait to be stored, this part, a
quarter, is for clients that hold none: however long a few send, others find a place."""
BESIDE = 4
"""Beside others who asked for something within the last second it has this part of those at work
and of those to store in: a quarter. Then they share the processor with two of it rather than four.
Those whom nobody knows yet have no more either."""
JUST_BESIDE = 8
"""Beside others who asked for something within the last tenth of a second, and who all have what
they asked for, it has this part of those at work: one of eight. So who asks for one thing after the
other shares the processor with one request of whoever floods."""

_KEPT_FOR_OTHERS = 200
"""File descriptors: connections to the servers, spools, the log."""


def most_connections() -> int:
    """How many connections the process may hold, raising its limit of open files if it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _KEPT_FOR_OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, soft - _KEPT_FOR_OTHERS))
