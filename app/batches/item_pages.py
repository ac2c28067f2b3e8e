"""Reading all items of a batch, whatever their number, in constant memory.

Page after page, each a short read of its own. A cursor over all items would show one
moment, but hold a connection and keep old rows for as long as its reader takes, which may be an
hour. Each page shows its items as they are at its moment, reading can begin again behind any index,
and nothing is held while the reader is slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.batches.item_view import ItemView
from app.batches.queries import ALL_ITEMS, ItemFilter, list_items
from app.db import read

_FIRST_PAGE = 100
_MOST_INDEX = 2**31 - 1
_MOST_ITEMS = 2000
_MOST_BYTES = 1024 * 1024
"""Of a page; one item more than fits is in it. While a peer takes nothing its list keeps the page
that it is at, and the web process counts it as that (app.server.bounds.PAGE)."""


def read_items(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    *,
    which: ItemFilter = ALL_ITEMS,
    after: int = -1,
    most: int | None = None,
) -> Iterator[list[ItemView]]:
    """The items of the client's batch behind index `after`, in the order of index, in pages.

    At least one page; any may be empty. `most`: end with so many. Raises NotFound for the
    batch, at the first page, and also later if it is deleted meanwhile.
    """
    limit, left = _FIRST_PAGE, _MOST_INDEX if most is None else most
    while True:
        page, end = read(
            engine, partial(_page, client_id, batch_id, which, after, min(limit, left))
        )
        yield page
        left -= len(page)
        if end is not None:
            # It has looked at so many that it ended before it was full.
            after = end
        elif not page:
            return
        else:
            after = page[-1].index
        if not left:
            return
        # A page that was cut by its bytes says how many are worth asking for.
        limit = min(_MOST_ITEMS, 2 * max(len(page), 8))


def _page(
    client_id: UUID,
    batch_id: UUID,
    which: ItemFilter,
    after: int,
    limit: int,
    connection: Connection,
) -> tuple[list[ItemView], int | None]:
    return list_items(
        connection,
        client_id,
        batch_id,
        which=which,
        after=after,
        limit=limit,
        most_bytes=_MOST_BYTES,
    )
