"""A batch stored, or not: told rightly even where the answer of the commit is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from app.core.errors import CommitUnknown, Unavailable
from app.db import each_by_itself, sqlstate, transaction
from app.db.engine import MAYBE_STORED
from app.db.statements.batches import IS_BATCH_STORED

log = structlog.get_logger(__name__)

# Seconds between looks: the commit may still be under way, and the server may come back.
_LOOKS = (0.0, 0.2, 0.5, 1.0, 2.0)


class StoredAfterAll(Exception):
    """The statement that stored the batch got no answer, but the batch is there."""


@contextmanager
def storing(engine: Engine, batch_id: UUID | None, *, apart: bool = False) -> Iterator[Connection]:
    """A `transaction` in which that batch is stored under an id of ours, as far as one is.

    `apart`: the block is one statement, which needs none. Where the commit gets no answer, the
    batch is looked for over another connection: if it is there, nothing was lost. Raises
    CommitUnknown if it is not, or nobody can tell; and `apart`, where the block has been left with
    its work undone, StoredAfterAll if it is.
    """
    begun = False
    try:
        with (each_by_itself if apart else transaction)(engine) as connection:
            begun = True
            yield connection
    except CommitUnknown as error:
        if batch_id is None or not _is_stored(engine, batch_id, error):
            raise
    except Unavailable as error:
        if not apart or not begun or batch_id is None or not _was_lost(error):
            raise
        if _is_stored(engine, batch_id, error):
            raise StoredAfterAll from error
        raise CommitUnknown(MAYBE_STORED, retry_after=5) from error


def _was_lost(error: Unavailable) -> bool:
    """Whether the statement got no answer; a server that refuses it says so, by an SQLSTATE."""
    return not sqlstate(error.__cause__).startswith(("25", "53"))


def _is_stored(engine: Engine, batch_id: UUID, lost: Unavailable) -> bool:
    for pause in _LOOKS:
        time.sleep(pause)
        try:
            with transaction(engine) as connection:
                if connection.execute(IS_BATCH_STORED, {"batch_id": batch_id}).scalar_one():
                    log.warning(
                        "commit.answer_lost", batch=str(batch_id), error=str(lost.__cause__)
                    )
                    return True
        except Unavailable:
            continue
    return False
