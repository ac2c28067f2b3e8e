"""One at a time in a process: whoever computes for long beside others who have only a little to do.

Of a process' threads one computes at a time. Each that computes without a pause takes its part of
the processor from all others, so that with eight of them a quick request takes nine times as long.
They gain nothing by it. So what is large (bodies that are taken apart, rows that are made of them)
has one turn among itself, piece by piece, and a quick request shares the processor with one.

Who may take how much of it: a piece, of a few milliseconds, within `alone`. Where others wait, each
piece is followed by one of each of theirs, in the order in which they came. Who waits for a peer or
for a server meanwhile does it within `aside`, or holds up all the others. Whoever goes through what
may be much of it calls `breathe` at each step, which ends a piece that is long enough.

Who has only a little to do does it within `quickly`. While somebody does, no piece is begun, for as
long as pieces have computed since they last waited: so a quick request has the process to itself,
and however many of them there are, pieces have half of the time.
"""

from app.core.computing.pieces import alone, aside, breathe, in_line, quickly, unhurried
from app.core.computing.quick import MOST_PATIENCE, Quick

__all__ = [
    "MOST_PATIENCE",
    "Quick",
    "alone",
    "aside",
    "breathe",
    "in_line",
    "quickly",
    "unhurried",
]
