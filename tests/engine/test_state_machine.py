"""Any sequence of submissions, actions, deaths and deliveries keeps what must always hold.

The machine holds the engine's messages, and delivers them in any order, repeatedly, late or never;
it claims slices and finishes them later, when they may be somebody else's; it lets workers die and
time pass. After each step, and once all has ended, it looks at the rows.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    initialize,
    rule,
    run_state_machine_as_test,
)

from app.batches.actions import ACTIONS, remove
from app.batches.actions.chosen import ITEM_ACTIONS, ItemAction, act_on_items
from app.batches.actions.edit import edit_item
from app.batches.breakers.changing import Counted, close_by_hand, count, open_by_hand
from app.batches.choices import Choice
from app.batches.long_work import Pace, continue_long_work
from app.batches.ramp import Ramp
from app.core import lifecycle
from app.core.errors import WrongState
from app.core.ids import new_id
from app.db import transaction
from handlers import Breaker
from tests.engine.rig import Message, Rig
from tests.engine.test_actions import ALLOWED, EDITABLE
from tests.engine.what_holds import WhatHolds
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.runtime import Runtime

OPERATIONS = ("log.one", "log.bulk", "log.outside", "log.crowded", "log.paced")
KEYS = (None, None, "a", "b", "c")
BEHAVIOUR = (
    *("succeed",) * 6,
    *("reject", "retry", "flaky", "broken", "sql", "invalid", "defer-back", "defer-on", "defer-x"),
)
MOST_ITEMS = 16
# Long work is done in many steps, few of them in a request, so that all else happens in between.
PACE = Pace(items=3, seconds=0.0)

ITEM = st.tuples(st.sampled_from(BEHAVIOUR), st.sampled_from(KEYS), st.sampled_from(OPERATIONS))
ITEMS = st.lists(ITEM, min_size=1, max_size=MOST_ITEMS)
OPERATION = st.sampled_from((*OPERATIONS, None))  # None: each item names its own
RAMPS = (
    Ramp((2,), "approve", Decimal(100)),
    Ramp((1, 3), "auto"),
    Ramp((3, 1), "auto", Decimal(50)),
)
PLACE = st.integers(0, 60)
Drawn = list[tuple[str, str | None, str]]


class BatchMachine(WhatHolds):
    """Everything that can happen to some batches of one client.

    What is drawn never depends on what is in the database: hypothesis must be able to repeat it.
    A `place` says which of the batches, messages or claims there are is meant.
    """

    def __init__(self) -> None:
        super().__init__()
        # Room for eight slices: with two, what waits for others takes very many messages.
        self.rig = Rig(self.rig.engine, self.rig.settings, self.rig.registry, slots=4)
        self.rig.runtime.pace = PACE
        self.uids = 0
        self.held: list[tuple[ClaimedSlice, Runtime]] = []

    # What callers do.

    @initialize(items=ITEMS, operation=OPERATION)
    def submit_first(self, items: Drawn, operation: str | None) -> None:
        """There is something to do."""
        self.submit(items, operation, "now", False, None, False, None, ramp=None)

    @rule(
        items=ITEMS,
        operation=OPERATION,
        start=st.sampled_from(("now", "now", "now", "manual")),
        reject=st.sampled_from((False, False, False, True)),
        max_failures=st.sampled_from((None, None, None, 0, 2)),
        dry_run=st.sampled_from((False, False, False, False, True, "effects")),
        percent=st.sampled_from((None, None, None, None, 0, 30)),
        approval=st.sampled_from((False, False, True)),
        ramp=st.sampled_from((None, None, *RAMPS)),
    )
    def submit(
        self,
        items: Drawn,
        operation: str | None,
        start: Any,
        reject: bool,
        max_failures: int | None,
        dry_run: bool | str,
        percent: int | None,
        approval: bool = False,
        ramp: Ramp | None = None,
    ) -> None:
        """A batch is accepted."""
        self.live.append(
            self.rig.submit(
                operation,
                self.make(items, mixed=operation is None),
                start=start,
                on_invalid="reject" if reject else "partial",
                max_failures=max_failures,
                max_failure_percent=None if percent is None else Decimal(percent),
                min_processed=4,
                approval=approval and not dry_run,
                ramp=ramp,
                dry_run=bool(dry_run),
                dry_effects=dry_run == "effects" and operation != "log.outside",
            )
        )

    @rule(place=PLACE, items=ITEMS)
    def append(self, place: int, items: Drawn) -> None:
        """More items for a batch, which is OPEN or says what it is instead."""
        if (batch := self.pick(place)) is None:
            return
        made = self.make(items, mixed=batch.operation is None)
        if batch.status == lifecycle.OPEN and not batch.doing:
            self.rig.append(batch.id, made)
        else:
            with pytest.raises(WrongState, match=batch.status):
                self.rig.append(batch.id, made)

    @rule(
        place=PLACE,
        action=st.sampled_from(ACTIONS),
        statuses=st.sampled_from((None, ["FAILED", "INVALID", "CANCELED"], ["CANCELED"])),
    )
    def act(self, place: int, action: str, statuses: list[str] | None) -> None:
        """A move is made, or refused as its state says."""
        if (batch := self.pick(place)) is None:
            return
        options: dict[str, Any] = {"statuses": statuses} if action == "retry" else {}
        refused = None
        try:
            self.rig.act(batch.id, action, pace=PACE, **options)
        except WrongState as error:
            refused = str(error)
        if refused is None:
            assert batch.status in ALLOWED[action]
            if action == "approve":
                self.approved.add(batch.id)
            if action == "reset":
                self.approved.discard(batch.id)
            if action in ("retry", "reset"):
                self.ends.pop(batch.id, None)
                self.retried.add(batch.id)
            return
        assert batch.status in refused
        chosen = statuses or ["FAILED"]
        nothing = not any(getattr(batch, status.lower()) for status in chosen)
        assert (
            batch.status not in ALLOWED[action]
            or (action == "start" and batch.total == 0)
            or (action == "retry" and nothing)
            or (action in ("pause", "resume") and batch.stopping)
            or batch.doing
        )

    @rule(
        place=PLACE,
        action=st.sampled_from(ITEM_ACTIONS),
        indexes=st.sets(st.integers(0, MOST_ITEMS), min_size=1),
        all_of_a_code=st.booleans(),
    )
    def act_on_items(
        self, place: int, action: ItemAction, indexes: set[int], all_of_a_code: bool
    ) -> None:
        """Some items are run again, or canceled, or none is, as the batch's state says."""
        if (batch := self.pick(place)) is None:
            return
        choice = Choice(code=500) if all_of_a_code else Choice(indexes=tuple(sorted(indexes)))
        refused = None
        try:
            act_on_items(self.rig.engine, self.rig.client_id, batch.id, action, choice, pace=PACE)
        except WrongState as error:
            refused = str(error)
        if refused is not None:
            assert batch.status in refused
            return
        assert Rig.ended(batch.status) == (action == "retry")
        self.rig.messages.append(Message(batch.id))
        if action == "retry":
            self.ends.pop(batch.id, None)
            self.retried.add(batch.id)

    @rule(
        place=PLACE,
        index=st.integers(0, MOST_ITEMS),
        do=st.sampled_from(("succeed", "reject", "retry", "broken")),
        key=st.sampled_from(KEYS),
    )
    def edit(self, place: int, index: int, do: str, key: str | None) -> None:
        """An item has another input, or has not, as its state and the batch's say."""
        if (batch := self.pick(place)) is None or index >= batch.total:
            return
        item = self.rig.items(batch.id)[index] if not batch.doing else None
        uid = 0 if item is None else int(re.findall(r"\d+", str(item.input["uid"]))[0])
        text = json.dumps({"uid": uid, "do": do, "key": key})
        rig = self.rig
        if item is not None and batch.status in EDITABLE and item.status != "SUCCESS":
            edited = edit_item(rig.engine, rig.registry, rig.client_id, batch.id, index, text)
            assert (edited.status, edited.key, edited.input) == (item.status, key, text)
        else:
            with pytest.raises(WrongState, match=batch.status):
                edit_item(rig.engine, rig.registry, rig.client_id, batch.id, index, text)

    @rule(place=PLACE)
    def delete(self, place: int) -> None:
        """A batch is removed, if it has ended."""
        if (batch := self.pick(place)) is None:
            return
        if Rig.ended(batch.status) and batch.doing in (None, "delete"):
            gone = remove(self.rig.engine, self.rig.client_id, batch.id, pace=PACE)
            assert gone == (not self.rig.there(batch.id))
        else:
            with pytest.raises(WrongState, match=batch.status):
                remove(self.rig.engine, self.rig.client_id, batch.id)

    # What brokers and workers do.

    @rule(place=PLACE, again=st.booleans())
    def deliver(self, place: int, again: bool) -> None:
        """A message arrives; perhaps it will once more."""
        if (message := self.take_message(place)) is not None:
            self.rig.deliver(message)
            if again:
                self.rig.messages.append(message)

    @rule(count=st.integers(1, 12))
    def deliver_some(self, count: int) -> None:
        """Some messages arrive in order."""
        for _ in range(count):
            if (message := self.take_message(0)) is not None:
                self.rig.deliver(message)

    @rule(place=PLACE)
    def lose(self, place: int) -> None:
        """A message is lost."""
        self.take_message(place)

    @rule(place=PLACE)
    def claim(self, place: int) -> None:
        """A worker takes a slice, and is slow."""
        self.hold(place)

    @rule(place=PLACE, noticed=st.booleans())
    def crash(self, place: int, noticed: bool) -> None:
        """A worker takes a slice and is not heard of again; it may have been only paused."""
        if self.hold(place):
            self.held[-1][1].heartbeat.die()  # type: ignore[attr-defined]
            if noticed:
                self.rig.sweep()

    @rule(place=PLACE)
    def finish(self, place: int) -> None:
        """A slow worker goes on, whether the slice is still its own or not."""
        if self.held:
            self.rig.finish(*self.held.pop(place % len(self.held)))

    @rule(place=PLACE)
    def give_back(self, place: int) -> None:
        """A worker could not write, and gives its slice back."""
        if self.held:
            claimed, worker = self.held.pop(place % len(self.held))
            worker.heartbeat.give_back(claimed.claim)

    @rule(place=PLACE)
    def advance(self, place: int) -> None:
        """Somebody asks for a batch to be moved on."""
        if (batch := self.pick(place)) is not None:
            self.rig.deliver(Message(batch.id))

    @rule(later=st.booleans())
    def sweep(self, later: bool) -> None:
        """The sweep runs, perhaps when all that waits has waited long enough."""
        if later:
            self.rig.time_passes()
        self.rig.sweep()

    # What becomes of the systems that operations need.

    @rule(operation=st.sampled_from(OPERATIONS))
    def trip(self, operation: str) -> None:
        """Too many tries fail: it opens, and one item soon tries again."""
        counted = Counted(operation, "", Breaker(of=1, rest=0.01), failed=1, succeeded=0)
        with transaction(self.rig.engine) as connection:
            count(connection, counted, worker=new_id(), stale=60)

    @rule(operation=st.sampled_from(OPERATIONS))
    def open_by_hand(self, operation: str) -> None:
        """An admin has an operation left alone."""
        with transaction(self.rig.engine) as connection:
            open_by_hand(connection, operation, "")
        self.left_alone.setdefault(operation, self.successes(operation))

    @rule(operation=st.sampled_from(OPERATIONS))
    def close_by_hand(self, operation: str) -> None:
        """An admin lets it go on."""
        self.left_alone.pop(operation, None)
        with transaction(self.rig.engine) as connection:
            close_by_hand(connection, operation, None)

    def teardown(self) -> None:
        """Let everything end, and look at all of it."""
        for operation in OPERATIONS:
            self.close_by_hand(operation)
        for batch_id in self.live:
            continue_long_work(self.rig.engine, batch_id)
        self.live = list(filter(self.rig.there, self.live))
        for batch_id in self.live:
            batch = self.rig.batch(batch_id)
            if batch.status == lifecycle.PAUSED and not batch.stopping:
                self.rig.act(batch_id, "resume")
            if batch.status == lifecycle.OPEN:
                self.rig.act(batch_id, "start" if batch.total else "cancel")
        self.rig.run(
            "UPDATE workers SET heartbeat_at = now() - interval '1 day' WHERE id <> :id",
            id=self.rig.runtime.heartbeat.worker_id,
        )
        # What has been looked at by then is approved; it may have to be looked at first. Ramps hold
        # it as often as they have steps.
        while left := [one for one in self.live if self.rig.under_way(one)]:
            for batch_id in left:
                if self.rig.batch(batch_id).status == lifecycle.AWAITING:
                    self.rig.act(batch_id, "approve")
                    self.approved.add(batch_id)
                if self.rig.batch(batch_id).ramp_held:
                    self.rig.act(batch_id, "resume")
            self.rig.run_until(lambda row: row.status == lifecycle.AWAITING or row.ramp_held, *left)
        self.ended_batches_are_counted()
        self.successes_took_effect()
        self.keys_kept_their_order()
        self.failures_say_why()
        for batch_id in self.live:
            assert remove(self.rig.engine, self.rig.client_id, batch_id)

    # Helpers.

    def pick(self, place: int) -> Any:
        """A batch's row, or None where that one has been removed."""
        batch_id = self.live[place % len(self.live)]
        return self.rig.batch(batch_id) if self.rig.there(batch_id) else None

    def take_message(self, place: int) -> Message | None:
        """A message, no longer on its way."""
        waiting = self.rig.messages
        return waiting.pop(place % len(waiting)) if waiting else None

    def hold(self, place: int) -> bool:
        """A worker of its own claims the slice of a message, if that can be had."""
        slices = [message for message in self.rig.messages if message.number is not None]
        if not slices:
            return False
        message = slices[place % len(slices)]
        self.rig.messages.remove(message)
        worker = self.rig.worker()
        claimed = self.rig.claim(message, worker)
        if claimed is not None:
            self.held.append((claimed, worker))
        return claimed is not None

    def make(self, items: Drawn, *, mixed: bool) -> list[Any]:
        """Items as they are sent. Those that wait do so for one of the same call, or for none."""
        first, made = self.uids, []
        for do, key, operation in items:
            uid, self.uids = self.uids, self.uids + 1
            item: dict[str, Any] = {"uid": uid, "do": do, "key": key}
            if do == "invalid":
                item["uid"] = f"no number {uid}"
            if do.startswith("defer"):
                item["do"] = "succeed"
                waits_for = {"defer-back": uid - 1, "defer-on": uid + 1, "defer-x": -1}[do]
                item["waits_for"] = max(waits_for, first - 1)
            made.append({"operation": operation, "data": item} if mixed else item)
        return made


@pytest.mark.slow
@pytest.mark.parametrize("examples", [6, pytest.param(100, marks=pytest.mark.whole)])
def test_any_sequence_of_events(rig: Rig, examples: int) -> None:
    BatchMachine.rig = rig
    run_state_machine_as_test(
        BatchMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )
