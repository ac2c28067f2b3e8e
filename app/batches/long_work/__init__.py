"""What takes long for a large batch (cancel, retry, reset, delete) is done in steps.

A step is one transaction. It locks the batch's row, looks at so many items at most, and writes how
far the work is: `doing` and its neighbours in the batch's row. So it may be broken off between any
two steps, by anything, and be gone on with by anybody; nobody waits for more than a step. Who finds
the row locked leaves: another is at it.

The request that asks for the work makes the first steps (`begin`, `continue_long_work`), which are
all there are for most batches. The rest is made by workers, which are called by the request and,
should that call be lost, by the sweep. docs/states.md draws it.
"""

from app.batches.long_work.pace import BEHIND, IN_REQUEST, PAUSE, Pace
from app.batches.long_work.steps import Left, begin, cancel_all, continue_long_work
from app.batches.long_work.work import Work, end_work, note_work

__all__ = [
    "BEHIND",
    "IN_REQUEST",
    "PAUSE",
    "Left",
    "Pace",
    "Work",
    "begin",
    "cancel_all",
    "continue_long_work",
    "end_work",
    "note_work",
]
