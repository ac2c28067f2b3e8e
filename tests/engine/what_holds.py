"""What must hold of the rows, whatever has happened: after each step, and once all has ended."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from hypothesis.stateful import RuleBasedStateMachine, invariant

from app.batches.queries import find_batch
from tests.engine.rig import Rig


class WhatHolds(RuleBasedStateMachine):
    """The invariants. `live`: the batches that were not removed. `ends`: how those that have ended
    did. `retried`: those of which items were run again. `approved`: those that were approved.
    `left_alone`: operations that were opened by hand, and how many of their items had come through
    by then."""

    rig: Rig  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.live: list[UUID] = []
        self.ends: dict[UUID, tuple[Any, ...]] = {}
        self.retried: set[UUID] = set()
        self.approved: set[UUID] = set()
        self.left_alone: dict[str, int] = {}

    @invariant()
    def ended_batches_are_counted(self) -> None:
        """An ended batch has ended once, its summary is that of its items, nothing is under way."""
        for row in self.rig.rows(_COUNTED, client=self.rig.client_id):
            assert (row.completed, row.failed, row.invalid, row.canceled) == (
                row.items_completed,
                row.items_failed,
                row.items_invalid,
                row.items_canceled,
            ), row
            assert row.total == row.items == row.completed + row.failed + row.invalid + row.canceled
            assert row.slices == 0, row
            end = (row.status, row.finished_at, row.revision)
            assert self.ends.setdefault(row.id, end) == end

    @invariant()
    def nothing_is_lost(self) -> None:
        """Whatever no wave will come to is in a slice of the wave under way."""
        lost = self.rig.rows(_LOST, client=self.rig.client_id)
        assert not lost, (lost, [self.rig.slices(row.batch_id) for row in lost])

    @invariant()
    def failures_are_counted(self) -> None:
        """At any moment each item that went wrong has a failure, which counts as many items.

        But while a long action is half done, which counts anew with its last step.
        """
        assert not self.rig.rows(_MISCOUNTED, client=self.rig.client_id)

    @invariant()
    def nothing_runs_unapproved(self) -> None:
        """Of what needs approval, and has none, nothing has been tried."""
        rows = self.rig.rows(
            """SELECT b.id, count(i.index) FILTER (WHERE i.attempts > 0) AS tried FROM batches b
               JOIN items i ON i.batch_id = b.id
               WHERE b.client_id = :client AND b.approval IS NOT NULL GROUP BY b.id""",
            client=self.rig.client_id,
        )
        assert not [row for row in rows if row.tried and row.id not in self.approved]

    @invariant()
    def each_try_is_kept(self) -> None:
        """Those that count are numbered through, the last of an ended item in its own row."""
        rows = self.rig.rows(_TRIES, client=self.rig.client_id)
        assert not [row for row in rows if row.kept != list(range(1, row.attempts + 1))]

    @invariant()
    def nothing_runs_behind_a_step(self) -> None:
        """Of what a ramp holds back nothing has been tried, or is in a slice."""
        assert not self.rig.rows(_BEHIND, client=self.rig.client_id)

    @invariant()
    def summaries_add_up(self) -> None:
        """At any moment, also in the middle of a wave."""
        with self.rig.engine.connect() as connection:
            for batch_id in filter(self.rig.there, self.live):
                batch = find_batch(connection, self.rig.client_id, batch_id)
                assert batch.summary.pending >= 0, batch
                assert batch.summary.running >= 0, batch
                assert batch.doing is None or 0 <= batch.doing.done <= batch.doing.total, batch

    @invariant()
    def effects_happen_once(self) -> None:
        """No uid stands twice in the log, and one key's are in the order submitted."""
        for key, uids in self.rig.effects().items():
            assert max(Counter(uids).values(), default=1) == 1, (key, uids)

    @invariant()
    def nothing_begins_of_what_is_left_alone(self) -> None:
        """Whoever had a slice of it, or plans one."""
        for operation, before in self.left_alone.items():
            assert self.successes(operation) <= before, operation

    def successes(self, operation: str) -> int:
        """How many items of an operation have come through, but for dry runs."""
        rows = self.rig.rows(
            """SELECT count(*) AS number FROM items i JOIN batches b ON b.id = i.batch_id
               WHERE b.client_id = :client AND NOT b.dry_run AND i.status = 'SUCCESS'
                 AND coalesce(i.operation, b.operation) = :operation""",
            client=self.rig.client_id,
            operation=operation,
        )
        return int(rows[0].number)

    @invariant()
    def crowds_are_small(self) -> None:
        """No more of its slices are claimed than the operation allows."""
        rows = self.rig.rows(
            """SELECT count(*) AS claimed FROM slices
               WHERE state = 'CLAIMED' AND operation = :name AND phase <> 'validate'""",
            name="log.crowded",
        )
        assert rows[0].claimed <= 2

    def successes_took_effect(self) -> None:
        """Each item that succeeded is in the log, and none that did not."""
        logged = Counter(uid for uids in self.rig.effects().values() for uid in uids)
        for row in self.rig.rows(_ITEMS, client=self.rig.client_id):
            if row.uid is None or row.operation == "log.outside":
                continue
            expected = row.status == "SUCCESS" and not row.dry_run
            assert logged[int(row.uid)] == expected, row

    def keys_kept_their_order(self) -> None:
        """Items of one key took effect in the order submitted, unless some were run again."""
        home = {
            int(row.uid): row.batch_id
            for row in self.rig.rows(_ITEMS, client=self.rig.client_id)
            if row.uid is not None
        }
        for key, uids in self.rig.effects().items():
            for batch_id in {home.get(uid) for uid in uids} - self.retried - {None}:
                mine = [uid for uid in uids if home.get(uid) == batch_id]
                assert mine == sorted(mine), (key, mine)

    def failures_say_why(self) -> None:
        """Whatever went wrong has a code and a message."""
        for row in self.rig.rows(_ITEMS, client=self.rig.client_id):
            if row.status in ("FAILED", "INVALID"):
                assert row.code, row
                assert row.message, row


_COUNTED = """
    SELECT b.*, i.*, (SELECT count(*) FROM slices s WHERE s.batch_id = b.id) AS slices
    FROM batches b CROSS JOIN LATERAL (
        SELECT count(*) AS items,
               count(*) FILTER (WHERE status = 'SUCCESS') AS items_completed,
               count(*) FILTER (WHERE status = 'FAILED') AS items_failed,
               count(*) FILTER (WHERE status = 'INVALID') AS items_invalid,
               count(*) FILTER (WHERE status = 'CANCELED') AS items_canceled
        FROM items WHERE batch_id = b.id
    ) i
    WHERE b.client_id = :client AND b.finished_at IS NOT NULL AND b.doing IS NULL
"""
_MISCOUNTED = """
    SELECT batch_id, failure, status, items.n AS items, counts.n AS counted
    FROM (
        SELECT i.batch_id, i.failure, i.status, count(*) AS n FROM items i
        JOIN batches b ON b.id = i.batch_id
        WHERE b.client_id = :client AND b.doing IS NULL
          AND (i.failure IS NOT NULL OR i.status IN ('FAILED', 'INVALID'))
        GROUP BY 1, 2, 3
    ) items FULL JOIN (
        SELECT c.batch_id, c.failure, c.status, sum(c.count) AS n FROM failure_counts c
        JOIN batches b ON b.id = c.batch_id WHERE b.client_id = :client AND b.doing IS NULL
        GROUP BY 1, 2, 3
    ) counts USING (batch_id, failure, status)
    WHERE items.n IS DISTINCT FROM counts.n
"""
_TRIES = """
    SELECT i.batch_id, i.index, i.attempts, array_agg(DISTINCT tries.attempt) AS kept
    FROM (SELECT batch_id, index, status, coalesce(tried_before, 0) + attempts AS attempts
          FROM items) i
    JOIN batches b ON b.id = i.batch_id
    CROSS JOIN LATERAL (
        SELECT t.attempt FROM item_tries t WHERE t.batch_id = i.batch_id AND t.index = i.index
        UNION ALL SELECT i.attempts WHERE i.status IN ('SUCCESS', 'FAILED', 'INVALID')
    ) tries
    WHERE b.client_id = :client AND tries.attempt > 0 GROUP BY 1, 2, 3
"""
_LOST = """
    SELECT i.batch_id, i.index, b.status, b.next_index FROM items i
    JOIN batches b ON b.id = i.batch_id
    WHERE b.client_id = :client AND b.status IN ('RUNNING', 'PAUSED') AND b.stopping IS NULL
      AND b.phase <> 'validate' AND i.status = 'PENDING' AND i.due_at IS NULL
      AND i.index < b.next_index
      AND NOT EXISTS (
            SELECT FROM slices s WHERE s.batch_id = i.batch_id AND s.state <> 'DONE'
            AND i.index BETWEEN s.first_index AND s.last_index
            AND (s.picks IS NULL OR i.index = ANY(s.picks)))
"""
_BEHIND = """
    SELECT b.id, b.ramp_end, i.index FROM batches b JOIN items i ON i.batch_id = b.id
    WHERE b.client_id = :client AND b.finished_at IS NULL AND b.phase = 'run'
      AND i.index >= b.ramp_end
      AND (i.attempts > 0 OR i.deferred OR i.status = 'PENDING' AND EXISTS (
            SELECT FROM slices s WHERE s.batch_id = b.id AND s.phase = 'run' AND s.state <> 'DONE'
              AND i.index BETWEEN s.first_index AND s.last_index
              AND (s.picks IS NULL OR i.index = ANY(s.picks))))
"""
_ITEMS = r"""
    SELECT i.batch_id, i.index, i.status, i.code, i.message, b.dry_run,
           coalesce(i.operation, b.operation) AS operation,
           substring(i.input::text from '"uid": (\d+)') AS uid
    FROM items i JOIN batches b ON b.id = i.batch_id WHERE b.client_id = :client
"""
