"""Each way in which a Celery chord on Redis goes wrong, at its very moment, on real workers.

In most of them the chord's callback never comes. The batch goes on all the same, each of its items
takes effect once, and it ends once. How many seconds after the fault it ended is a property of the
test, and logged.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core.settings import Settings
from handlers import Registry
from tests.chaos.arming import Moment
from tests.chaos.sabotaged import Workers, sabotaged_workers
from tests.support.stack import wait_for
from workers.engine.plan.chords import RUN_SLICE, SETTLE

Record = Callable[[str, object], None]
log = logging.getLogger(__name__)
_FIRST_SLICE = text("SELECT state FROM slices WHERE batch_id = :batch AND number = 0")
_FIRST_ITEM = text("SELECT crashes FROM items WHERE batch_id = :batch AND index = 0")

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def shared_workers(
    settings: Settings,
    postgres_url: str,
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Workers]:
    """The module's workers."""
    home = tmp_path_factory.mktemp("chords")
    with sabotaged_workers(settings, postgres_url, registry, home) as workers:
        yield workers


@pytest.fixture
def workers(shared_workers: Workers) -> Workers:
    """All of them alive, and nothing armed."""
    shared_workers.mend()
    return shared_workers


def _goes_on(workers: Workers, batch: UUID, since: float, record_property: Record) -> None:
    seconds = workers.goes_on(batch, since)
    record_property("seconds", round(seconds, 1))
    log.info("went on within %.1f s", seconds)


def _callbacks(workers: Workers, batch: UUID, wave: int) -> list[dict[str, Any]]:
    """Those of one wave that were published. A batch's waves overlap, and any may end first."""
    return workers.arms.events("sent", batch, task=SETTLE, wave=wave)


def test_the_callback_of_a_flat_header_whose_results_are_ignored_fires(
    workers: Workers, record_property: Record
) -> None:
    """Celery's documentation forbids `ignore_result` in a header. On the Redis backend, with
    nothing but single tasks in the header, each part is counted all the same."""
    since = time.time()
    batch = workers.submit()
    _goes_on(workers, batch, since, record_property)
    waves = workers.batch(batch).wave
    assert waves > 1
    header = workers.arms.events("sent", batch, task=RUN_SLICE)
    assert len(header) == 60
    assert all(one["ignore_result"] is True for one in header)
    assert not any(workers.redis.exists(f"celery-task-meta-{one['id']}") for one in header)
    for wave in range(1, waves + 1):
        assert len(_callbacks(workers, batch, wave)) == 1


def test_redis_is_flushed_while_some_parts_are_counted_and_others_not(
    workers: Workers, record_property: Record
) -> None:
    """The messages that waited are gone too, and what the broker knew of its queues."""
    moment = Moment.FLUSHED_MIDWAY
    batch = workers.submit(moment)
    _goes_on(workers, batch, workers.struck(batch, moment)["at"], record_property)


def test_a_child_dies_with_its_slice_done_and_its_part_not_counted(
    workers: Workers, record_property: Record
) -> None:
    """Had its result been stored, the parent would acknowledge the message, and the chord would
    wait for ever."""
    moment = Moment.CHILD_DIES_BEFORE_COUNTING
    batch = workers.submit(moment)
    _goes_on(workers, batch, workers.struck(batch, moment)["at"], record_property)


def test_every_message_is_given_out_again_while_its_task_still_runs(
    workers: Workers, record_property: Record
) -> None:
    """With deduplication by stored results (`worker_deduplicate_successful_tasks`) a second run
    of a task would not return its part, even where the first did not come to it."""
    moment = Moment.GIVEN_OUT_AGAIN
    batch = workers.submit(moment, once=False)
    _goes_on(workers, batch, workers.struck(batch, moment)["at"], record_property)
    wait_for(lambda: len(workers.arms.events("part", batch)) >= 120, what=workers.stack.tail)
    wait_for(lambda: workers.nothing_waits(batch), what=workers.stack.tail)
    workers.check(batch)
    parts = workers.arms.events("part", batch)
    counts = Counter(one["redelivered"] for one in parts)
    assert counts[True] == counts[False] >= 60
    assert set(Counter(one["task"] for one in parts).values()) == {2}
    if counts[False] == 60:  # nothing was so late that the sweep sent it again
        for wave in range(1, workers.batch(batch).wave + 1):
            assert len(_callbacks(workers, batch, wave)) == 1


@pytest.mark.parametrize("moment", [Moment.CLAIMER_DIES, Moment.PUBLISHER_DIES])
def test_a_child_dies_that_has_claimed_the_callback_and_not_published_it(
    workers: Workers, record_property: Record, moment: Moment
) -> None:
    """As long as the lease of the claim lasts, nobody else publishes it, whoever returns the part
    again."""
    batch = workers.submit(moment)
    struck = workers.struck(batch, moment)
    _goes_on(workers, batch, struck["at"], record_property)
    assert not _callbacks(workers, batch, struck["wave"])


def test_a_worker_is_killed_whose_message_was_acknowledged_when_its_task_began(
    workers: Workers, record_property: Record
) -> None:
    """Nobody is given the message again: it is gone, and its slice half done."""
    moment = Moment.EARLY_ACK
    batch = workers.submit(moment, first_takes=2.0, number=0)
    main = workers.struck(batch, moment)["main"]
    wait_for(lambda: workers.rows(_FIRST_SLICE, batch=batch)[0].state == "CLAIMED")
    held = [message["headers"]["kwargsrepr"] for message in workers.unacked(batch)]
    assert not any("'number': 0}" in arguments for arguments in held), held
    _goes_on(workers, batch, workers.kill(main), record_property)
    assert workers.rows(_FIRST_ITEM, batch=batch)[0].crashes


@pytest.mark.parametrize(
    ("moment", "once", "errbacks"),
    [
        (Moment.COUNTING_FAILS, True, 1),
        (Moment.COUNTING_FAILS, False, 0),
        (Moment.LAST_ANSWER_LOST, True, 0),
    ],
    ids=["for one part", "for every part", "to answer for the last part"],
)
def test_redis_fails_while_a_part_is_returned(
    workers: Workers, record_property: Record, moment: Moment, once: bool, errbacks: int
) -> None:
    """Celery does not try again. It returns the part as a failed one instead: the errback runs and
    not the callback, or neither, where that fails as well or the callback is claimed already."""
    batch = workers.submit(moment, once=once)
    struck = workers.struck(batch, moment)
    _goes_on(workers, batch, struck["at"], record_property)
    assert len(workers.arms.events("errback", batch)) == errbacks
    assert not _callbacks(workers, batch, struck["wave"])


def test_a_worker_dies_when_it_has_published_some_of_a_wave(
    workers: Workers, record_property: Record
) -> None:
    """How many parts there are is written last of all: what was sent is run, and counts for
    nothing."""
    moment = Moment.PRODUCER_DIES_MIDWAY
    batch = workers.submit(moment, published=4)
    struck = workers.struck(batch, moment)
    _goes_on(workers, batch, struck["at"], record_property)
    sent = workers.arms.events("sent", batch, task=RUN_SLICE, wave=1)
    assert sum(one["at"] < struck["at"] for one in sent) == 4


def test_a_worker_dies_when_it_has_published_all_but_the_last_of_a_wave(
    workers: Workers, record_property: Record
) -> None:
    """How many parts there are has just been written: one of them never comes."""
    moment = Moment.PRODUCER_DIES_AT_LAST
    batch = workers.submit(moment)
    struck = workers.struck(batch, moment)
    _goes_on(workers, batch, struck["at"], record_property)
    assert struck["published"] == struck["size"] - 1 > 0


def test_the_keys_of_a_chord_expire_between_two_of_its_parts(
    workers: Workers, record_property: Record
) -> None:
    """As where two slices are further apart than `result_chord_expires`."""
    moment = Moment.KEYS_EXPIRE_MIDWAY
    batch = workers.submit(moment)
    struck = workers.struck(batch, moment)
    _goes_on(workers, batch, struck["at"], record_property)
    assert not _callbacks(workers, batch, struck["wave"])


def test_a_worker_dies_with_a_message_that_is_in_no_list_any_more(
    workers: Workers, record_property: Record
) -> None:
    """Popped from its queue (BRPOP), and not yet noted as not acknowledged: only the worker had
    it."""
    moment = Moment.TAKEN_AND_DIES
    batch = workers.submit(moment)
    _goes_on(workers, batch, workers.struck(batch, moment)["at"], record_property)


def test_what_dead_workers_held_changes_nothing_when_it_is_given_out_at_last(
    workers: Workers, record_property: Record
) -> None:
    """After the visibility timeout: by then all of these batches have ended, without it."""
    moment = Moment.WORKER_DIES_BEFORE_COUNTING
    batch = workers.submit(moment)
    _goes_on(workers, batch, workers.struck(batch, moment)["at"], record_property)
    assert not any(one["redelivered"] for one in workers.arms.events("part", batch))
    assert workers.give_out_again()
    wait_for(
        lambda: any(one["redelivered"] for one in workers.arms.events("part", batch)),
        what=workers.stack.tail,
    )
    wait_for(workers.nothing_waits, what=workers.stack.tail)
    for ended in workers.ended:
        workers.check(ended)
