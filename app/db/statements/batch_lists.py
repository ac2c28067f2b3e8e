"""Lists of batches, newest first: what is asked of them, and by which index they are found.

What no index finds is looked for among those that one does, and of these a page reads so many at
most: where it finds fewer than it may show it ends there, and says where to go on. So a page costs
what it costs, whatever a client asks for and however many batches it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text

from app.core.lifecycle import NATIVE, NOT_ALL_WELL
from app.db.statements.batch_views import batch_views
from app.db.statements.rows import columns as columns_of_rows

# The dialects that a client has batches of: as many looks into the index on client, dialect and
# reference as there are.
_ITS_DIALECTS = """
    ARRAY(
        WITH RECURSIVE known (dialect) AS (
            SELECT min(n.dialect) FROM batches n WHERE n.client_id = :client_id
            UNION ALL
            SELECT (SELECT min(n.dialect) FROM batches n
                    WHERE n.client_id = :client_id AND n.dialect > known.dialect)
            FROM known WHERE known.dialect IS NOT NULL
        ) SELECT dialect FROM known WHERE dialect IS NOT NULL)
"""
_BOUNDS = {
    "client_id": "b.client_id = :client_id",
    "before": "b.id < :before",
    "below": "b.id < :below",
    "from_id": "b.id >= :from_id",
    "until": "b.id >= :until",
}
"""What is found by the order of ids. All but the first are ids, or their beginning: a time."""
_FINDS = {
    "reference": f"b.dialect = ANY({_ITS_DIALECTS}) AND b.reference = :reference",
    "status": "b.status = :status",
    "dialect": "b.dialect = :dialect",
}
"""What of a client's batches an index finds, one of them; the first that is there is the best."""
BATCH_FILTERS = {
    "status": "b.status = :status",
    "operation": "b.operation = :operation",
    "dialect": "b.dialect = :dialect",
    "reference": "b.reference = :reference",
    "created_after": "b.created_at > :created_after",
    "created_before": "b.created_at < :created_before",
    "statuses": "b.status = ANY(:statuses)",
    "words": """strpos(lower(concat_ws(' ', b.name, b.id, b.reference, b.metadata)),
        lower(:words)) > 0""",
}
"""What a list of batches can be narrowed by: each takes the parameter that it is called by."""


@dataclass(frozen=True, slots=True)
class BatchChoice:
    """How a page of batches is looked for. `given`: names of bounds and filters.

    `found_by`: what an index finds beside the bounds, of `_FINDS`; None for all of the client's.
    """

    given: frozenset[str]
    found_by: str | None

    @property
    def looked_for(self) -> list[str]:
        """The filters that are asked of each batch that is found."""
        return [name for name in BATCH_FILTERS if name in self.given and name != self.found_by]

    @property
    def found(self) -> str:
        """The condition for what is found."""
        conditions = [_BOUNDS[name] for name in _BOUNDS if name in self.given]
        if self.found_by is not None:
            conditions.append(_FINDS[self.found_by])
        return " AND ".join(conditions) or "true"


@dataclass(frozen=True, slots=True)
class BatchVersion:
    """Which row of a batch was found. `version`: the transaction that wrote it.

    Each change of the row has another; with the time of its end, which None stands for while it has
    none, no two are taken for each other, even where a copy of the database is put in its place.
    """

    id: UUID
    version: str
    finished_at: datetime | None


def choice_of(given: Mapping[str, object]) -> BatchChoice:
    """How batches are looked for of which this is said, by the names of bounds and filters."""
    able = {
        "reference": True,
        # The others have no index of their own: most batches are such, and pay for none.
        "status": given.get("status") in NOT_ALL_WELL,
        "dialect": given.get("dialect") != NATIVE,
    }
    names = (name for name in _FINDS if name in given and able[name] and "client_id" in given)
    return BatchChoice(frozenset(given), next(names, None))


def select_batch_page(columns: Mapping[str, str], choice: BatchChoice) -> TextClause:
    """The :limit newest batches of the newest :look that are found, newest first.

    By the index on (client_id, id), or that of what they are found by; where it may be any client's
    by the primary key. The page is cut out first, so that only its batches' slices are looked at.
    """
    return text(
        f"""
        WITH page AS MATERIALIZED ({_page(choice, "*")})
        {batch_views(columns, source="page")} ORDER BY b.id DESC
        """
    )


def select_batch_versions(choice: BatchChoice) -> TextClause:
    """The same batches, and of which version their rows are: a `BatchVersion` each.

    A tenth of the price: for who knows them, as they were at some version.
    """
    return text(
        f"""
        SELECT {columns_of_rows(BatchVersion, "b")} FROM (
            {_page(choice, "b.id, CAST(b.version AS text) AS version, b.finished_at")}
        ) b ORDER BY b.id DESC
        """
    )


def _page(choice: BatchChoice, columns: str) -> str:
    wanted = " AND ".join(["true", *(BATCH_FILTERS[name] for name in choice.looked_for)])
    return f"""
        SELECT {columns} FROM (
            SELECT b.xmin AS version, b.* FROM batches b
            WHERE {choice.found} ORDER BY b.id DESC LIMIT :look
        ) b WHERE {wanted} ORDER BY b.id DESC LIMIT :limit
    """


def select_end_of_batches(choice: BatchChoice) -> TextClause:
    """The :look th batch that is found, if there are more behind it.

    Asked first, so that whatever comes meanwhile, all down to there have been looked at.
    """
    return text(
        f"""
        SELECT id FROM (
            SELECT id, lead(id) OVER (ORDER BY id DESC) AS next FROM (
                SELECT b.id FROM batches b WHERE {choice.found}
                ORDER BY b.id DESC OFFSET :look - 1 LIMIT 2
            ) b
        ) b WHERE next IS NOT NULL
        """
    )
