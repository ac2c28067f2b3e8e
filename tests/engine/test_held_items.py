"""Which items a slice holds: one definition, and everybody who asks goes by it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from app.core.ids import new_id
from app.db import transaction
from app.db.statements.held_items import held_by, held_items
from app.db.statements.item_outcomes import (
    fail_held_items,
    fail_poisonous_items,
    take_items_again,
)
from app.db.statements.items import find_held_indexes
from app.db.statements.long_work import CANCEL_ITEMS_NOT_HELD
from tests.engine.rig import Rig
from workers.engine.claim.claims import ClaimedSlice, add_counts, hold
from workers.engine.claim.load_items import load_slice, pending_from
from workers.engine.outcome.outcomes import Outcomes
from workers.engine.outcome.write_outcomes import write_outcomes
from workers.engine.retries.attempts import COUNTED
from workers.engine.retries.policy import RetryLater

ROOT = Path(__file__).parents[2]

# An item a state, by its index; those from 1 on are the slices' own. The slices were claimed a
# minute ago. What is due is an SQL expression; None is an item that waits for no moment.
STATES: dict[str, tuple[str, str | None]] = {
    "before the slice": ("PENDING", None),
    "untouched": ("PENDING", None),
    "due before the claim": ("PENDING", "now() - interval '2 minutes'"),
    "put off, and due again": ("PENDING", "now() - interval '1 second'"),
    "put off for an hour": ("PENDING", "now() + interval '1 hour'"),
    "completed": ("SUCCESS", None),
    "canceled": ("CANCELED", None),
    "not picked": ("PENDING", None),
    "behind the slice": ("PENDING", None),
}
INDEX = {name: index for index, name in enumerate(STATES)}
FIRST, LAST = 1, len(STATES) - 2
PICKS = [index for index in range(FIRST, LAST + 1) if index != INDEX["not picked"]]


@dataclass(frozen=True)
class Kind:
    """A kind of slice, and the states of the items that it holds."""

    phase: str
    picks: list[int] | None
    holds: tuple[str, ...]

    @property
    def indexes(self) -> list[int]:
        """The items that it holds."""
        return sorted(INDEX[name] for name in self.holds)


KINDS = {
    "a range": Kind("run", None, ("untouched", "not picked")),
    "a range of a dry run": Kind("dry", None, ("untouched", "not picked")),
    "a range that is only looked at": Kind(
        "validate",
        None,
        (
            "untouched",
            "due before the claim",
            "put off, and due again",
            "put off for an hour",
            "not picked",
        ),
    ),
    "picks": Kind("run", PICKS, ("untouched", "due before the claim")),
    "picks of a dry run": Kind("dry", PICKS, ("untouched", "due before the claim")),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every kind in turn."""
    return KINDS[request.param]


@contextmanager
def claimed_slice(rig: Rig, kind: Kind) -> Iterator[tuple[Connection, ClaimedSlice]]:
    """A claimed slice of that kind with an item a state, in a transaction that is rolled back."""
    batch_id = rig.submit("log.one", [{"uid": 0}], start="manual")
    worker = rig.runtime.heartbeat.worker_id
    with rig.engine.connect() as connection:
        connection.execute(text("DELETE FROM items WHERE batch_id = :id"), {"id": batch_id})
        connection.execute(
            text("UPDATE batches SET status = 'PENDING', total = :total WHERE id = :id"),
            {"id": batch_id, "total": len(STATES)},
        )
        for index, (status, due_at) in enumerate(STATES.values()):
            connection.execute(
                text(
                    f"""INSERT INTO items (batch_id, index, input, status, due_at, finished_at)
                        VALUES (:id, :index, '{{"uid": 1}}', :status, {due_at or "NULL"},
                                CASE WHEN :status <> 'PENDING' THEN now() END)"""
                ),
                {"id": batch_id, "index": index, "status": status},
            )
        claim = new_id()
        claimed_at: datetime = connection.execute(
            text(
                """INSERT INTO slices (batch_id, wave, number, queue, phase, first_index,
                                       last_index, picks, size, state, claim, worker_id, claimed_at)
                   VALUES (:id, 1, 0, 'fast', :phase, :first, :last, :picks, 7, 'CLAIMED', :claim,
                           :worker, now() - interval '1 minute')
                   RETURNING claimed_at"""
            ),
            {
                "id": batch_id,
                "phase": kind.phase,
                "first": FIRST,
                "last": LAST,
                "picks": kind.picks,
                "claim": claim,
                "worker": worker,
            },
        ).scalar_one()
        yield (
            connection,
            ClaimedSlice(
                batch_id=batch_id,
                wave=1,
                number=0,
                claim=claim,
                claimed_at=claimed_at,
                client_id=rig.client_id,
                operation="log.one",
                queue="fast",
                size=LAST + 1 - FIRST,
                phase=kind.phase,
                first_index=FIRST,
                last_index=LAST,
                picks=kind.picks,
                limited=None,
                guards=None,
                metadata={},
            ),
        )


def _changed(connection: Connection, batch_id: UUID, where: str) -> list[int]:
    rows = connection.execute(
        text(f"SELECT index FROM items WHERE batch_id = :id AND {where} ORDER BY index"),
        {"id": batch_id},
    )
    return list(rows.scalars())


def _read(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    query = text(held_items(":batch_id", validating=True))
    rows = connection.execute(query, {"batch_id": claimed.batch_id})
    return sorted(rows.scalars())


def _listed(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    statement = find_held_indexes(picked=claimed.picks is not None)
    return list(connection.execute(statement, held_by(claimed)).scalars())


def _left(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    return pending_from(connection, claimed, FIRST)


def _canceled(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    """All but those that cancel took."""
    everything = {"batch_id": claimed.batch_id, "first": 0, "end": 1_000_000}
    connection.execute(CANCEL_ITEMS_NOT_HELD, everything)
    return _changed(connection, claimed.batch_id, "status = 'PENDING'")


def _taken_again(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    connection.execute(
        take_items_again(picked=claimed.picks is not None),
        {**held_by(claimed), "message": "again"},
    )
    return _changed(connection, claimed.batch_id, "crashes = 1 AND due_at = now()")


def _poisoned(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    connection.execute(
        fail_poisonous_items(picked=claimed.picks is not None),
        {**held_by(claimed), "poison_after": 1, "ended": None},
    )
    return _changed(connection, claimed.batch_id, "crashes = 1 AND status = 'FAILED'")


def _failed(connection: Connection, claimed: ClaimedSlice) -> list[int]:
    connection.execute(
        fail_held_items(picked=claimed.picks is not None),
        {**held_by(claimed), "code": 500, "message": "failed"},
    )
    return _changed(connection, claimed.batch_id, "status = 'FAILED'")


@pytest.mark.parametrize(
    "ask", [_read, _listed, _left, _canceled, _taken_again, _poisoned, _failed]
)
def test_who_asks_gets_the_same_items(
    rig: Rig, kind: Kind, ask: Callable[[Connection, ClaimedSlice], list[int]]
) -> None:
    with claimed_slice(rig, kind) as (connection, claimed):
        assert ask(connection, claimed) == kind.indexes


def test_those_are_what_is_loaded(rig: Rig, kind: Kind) -> None:
    with claimed_slice(rig, kind) as (connection, claimed):
        valid, invalid, rest = load_slice(connection, claimed, rig.runtime.known)
    assert [loaded.item.index for loaded in valid] == kind.indexes
    assert (invalid, rest) == ([], None)


def test_what_is_only_looked_at_is_not_running(rig: Rig) -> None:
    with claimed_slice(rig, KINDS["a range that is only looked at"]) as (connection, claimed):
        query = text(held_items(":batch_id"))
        assert connection.execute(query, {"batch_id": claimed.batch_id}).all() == []


@pytest.mark.parametrize("state", ["READY", "DONE"])
def test_a_slice_that_nobody_has_claimed_holds_nothing(rig: Rig, kind: Kind, state: str) -> None:
    with claimed_slice(rig, kind) as (connection, claimed):
        connection.execute(
            text("UPDATE slices SET state = :state WHERE claim = :claim"),
            {"state": state, "claim": claimed.claim},
        )
        assert _read(connection, claimed) == []


def _put_off_one(rig: Rig, claimed: ClaimedSlice, index: int, wait: float) -> None:
    """The slice writes, before it is through, that this one is to be tried again later."""
    with transaction(rig.engine) as connection:
        hold(connection, claimed)
        late = Outcomes(retry_later=[RetryLater(index, wait, 503, "later", COUNTED)])
        write_outcomes(connection, claimed, late)
        add_counts(connection, claimed, done=False)


def test_a_retry_keeps_its_moment_when_its_worker_dies(rig: Rig) -> None:
    # Repeated keys, so that the slice has picks.
    batch_id = rig.submit("log.outside", [{"uid": n, "key": f"k{n % 2}"} for n in range(4)])
    rig.deliver(rig.messages.pop(0))
    doomed = rig.worker()
    claimed = rig.claim(rig.messages[0], doomed)
    assert claimed is not None
    assert claimed.picks == [0, 1, 2, 3]
    _put_off_one(rig, claimed, 1, 3600)
    before = rig.items(batch_id)[1]
    doomed.heartbeat.die()  # type: ignore[attr-defined]
    assert rig.sweep()["claims_taken_over"] == 1
    after = rig.items(batch_id)[1]
    assert after == before, "it was not held any more"
    assert [item.crashes for item in rig.items(batch_id)] == [1, 0, 1, 1]
    rig.run("UPDATE items SET due_at = now() WHERE batch_id = :id AND index = 1", id=batch_id)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 4


def test_a_short_retry_is_not_held_again_once_it_is_due(rig: Rig) -> None:
    batch_id = rig.submit("log.outside", [{"uid": n, "key": "same"} for n in range(3)])
    rig.deliver(rig.messages.pop(0))
    claimed = rig.claim(rig.messages[0], rig.worker())
    assert claimed is not None
    _put_off_one(rig, claimed, 0, 0.0)
    with rig.engine.connect() as connection:
        assert _read(connection, claimed) == [1, 2]
        # What stands behind it in its lane waits for it.
        assert load_slice(connection, claimed, rig.runtime.known) == ([], [], None)
    rig.act(batch_id, "cancel")
    assert rig.statuses(batch_id) == ["CANCELED", "PENDING", "PENDING"]
    assert rig.finish(claimed, rig.runtime)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["CANCELED", "SUCCESS", "SUCCESS"]


def test_cancel_is_quick_however_much_is_held(rig: Rig) -> None:
    """With statistics the planner believes in so many held items that it would not hash them; an
    item after the other would be looked for in all of them."""
    batch_id = rig.submit("log.one", [{"uid": 0}], start="manual")
    items, slices, size = 300_000, 200, 500
    with rig.engine.connect() as connection:
        connection.execute(
            text(
                """INSERT INTO items (batch_id, index, input)
                   SELECT :id, n, '{}' FROM generate_series(1, :items) n"""
            ),
            {"id": batch_id, "items": items - 1},
        )
        connection.execute(
            text(
                """INSERT INTO slices (batch_id, wave, number, queue, phase, first_index,
                                       last_index, picks, size, state, claim, claimed_at)
                   SELECT :id, 1, n, 'fast', 'run', CASE WHEN n % 2 = 0 THEN n * :size ELSE 0 END,
                          CASE WHEN n % 2 = 0 THEN n * :size + :size - 1 ELSE :items END,
                          CASE WHEN n % 2 = 1 THEN ARRAY(
                              SELECT n * :size + k FROM generate_series(0, :size - 1) k) END,
                          :size, 'CLAIMED', gen_random_uuid(), now()
                   FROM generate_series(0, :slices - 1) n"""
            ),
            {"id": batch_id, "slices": slices, "size": size, "items": items},
        )
        connection.execute(text("ANALYZE items"))
        connection.execute(text("ANALYZE slices"))
        connection.execute(text("SET LOCAL statement_timeout = '20s'"))
        everything = {"batch_id": batch_id, "first": 0, "end": items}
        canceled = connection.execute(CANCEL_ITEMS_NOT_HELD, everything).rowcount
    assert canceled == items - slices * size


# What only that module may spell: items by a slice's positions, or by its picks.
_SPELLED = re.compile(r"BETWEEN\s+\S*first_index|>=\s*\S*first_index|(ANY|unnest)\s*\(\S*picks")
_HOME = "app/db/statements/held_items.py"


def _texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_nobody_spells_the_definition_again() -> None:
    assert _SPELLED.search("i.index BETWEEN s.first_index AND s.last_index")
    assert _SPELLED.search("index = ANY(CAST(:picks AS integer[]))")
    again = [
        str(path.relative_to(ROOT))
        for folder in ("app", "workers")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) != _HOME
        and any(_SPELLED.search(found) for found in _texts(path.read_text()))
    ]
    assert again == [], f"compose what {_HOME} gives instead"
