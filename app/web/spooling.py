"""A spool for the items of the present request, within its client's share of the disk."""

from __future__ import annotations

from app.formats import Spool
from app.web.auth import caller
from app.web.services import services


def new_spool() -> Spool:
    """Use it as a context manager. Writing raises Busy where there is no room just now."""
    return Spool(services().spools.share(caller().client_id))
