"""Items in files: NDJSON and CSV read as streams, and the spool that they wait in.

A reader takes a stream of bytes and gives each item as JSON text on one line, checked as far as
the format goes. It raises Malformed with the number of the line that is bad, and TooLarge with the
index of the item that is over a limit; the caller throws away what it has given until then.
"""

from app.formats.csvrows import read_csv
from app.formats.limits import Limits
from app.formats.ndjson import read_ndjson
from app.formats.spool import Spool
from app.formats.spool_budget import SpoolBudget

__all__ = ["Limits", "Spool", "SpoolBudget", "read_csv", "read_ndjson"]
