"""A list of batches that is asked for again and again: those that have ended are read once.

Nothing happens to one that has ended but by a change of its row, so what was read of it is good as
long as its row is of the same version. What has not ended is read anew, each time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.batches.queries import BatchFilter, find_batches, find_plain_batches, list_batch_versions
from app.db.statements.batch_lists import BatchVersion

MOST_KEPT = 2_000
"""Views that are kept, one a batch, about 2 KB each without the metadata, so 4 MB in all; the one
asked for longest ago gives way. Nobody can have more kept, and whoever has others kept slows lists
down to what they cost without this."""


class EndedViews:
    """Those of one process; safe to share between its threads.

    They are by batch, whoever's it is: which batches somebody may see, Postgres says each time.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: dict[UUID, tuple[tuple[str, datetime | None], BatchView]] = {}

    def list_batches(
        self,
        connection: Connection,
        client_id: UUID | None,
        which: BatchFilter,
        *,
        before: UUID | None = None,
        limit: int,
    ) -> tuple[list[BatchView], UUID | None]:
        """As `app.batches.queries.list_batches`, without the metadata.

        In two statements, and a third where items with repeated keys have to be counted. So a batch
        that changes between these is shown as it is then, though it may no longer be of those that
        were asked for; one that is removed is left out.
        """
        versions, end = list_batch_versions(
            connection, client_id, which, before=before, limit=limit
        )
        views = self._known(versions)
        if missing := [each for each in versions if each.id not in views]:
            read = _read(connection, [each.id for each in missing])
            self._keep(missing, read)
            views.update(read)
        return [views[each.id] for each in versions if each.id in views], end

    def _known(self, versions: Sequence[BatchVersion]) -> dict[UUID, BatchView]:
        known = {}
        with self._lock:
            for each in versions:
                kept = self._kept.get(each.id)
                if kept is not None and kept[0] == (each.version, each.finished_at):
                    known[each.id] = kept[1]
                    # The end of the line is for those that were asked for last.
                    self._kept[each.id] = self._kept.pop(each.id)
        return known

    def _keep(self, versions: Sequence[BatchVersion], views: dict[UUID, BatchView]) -> None:
        with self._lock:
            for each in versions:
                view = views.get(each.id)
                # What was read may be newer than its version; that has then gone for good.
                if view is None or each.finished_at is None or view.finished_at is None:
                    continue
                self._kept.pop(each.id, None)
                if len(self._kept) >= self._most:
                    del self._kept[next(iter(self._kept))]
                self._kept[each.id] = ((each.version, each.finished_at), view)


def _read(connection: Connection, ids: list[UUID]) -> dict[UUID, BatchView]:
    found = find_plain_batches(ids, connection)
    if others := [each for each in ids if each not in found]:
        found.update(find_batches(others, connection))
    return {key: replace(view, metadata=None) for key, view in found.items()}
