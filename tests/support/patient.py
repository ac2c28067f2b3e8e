"""A handlers' module whose web processes leave each other connections for long.

How soon a process wakes up is the machine's; to which one they are left is ours.
"""

from __future__ import annotations

from app.server import balance

balance.MOMENT = 0.5
