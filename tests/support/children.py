"""Operations whose handlers start processes of their own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from math import factorial

from marshmallow import Schema

from batchline import Context, Item, Outcome, operation
from batchline.fields import Text


class HowSchema(Schema):
    how = Text(required=True)


@cache
def pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@operation("children.fast", schema=HowSchema, max_attempts=1)
def start(item: Item, context: Context) -> Outcome:
    """In a process of the pool."""
    match item.data["how"]:
        case "process":
            process = multiprocessing.Process(target=factorial, args=(3,))
            process.start()
            process.join()
            found = process.exitcode
        case "pool":
            found = pool().submit(factorial, 3).result(timeout=50)
        case _:
            done = subprocess.run([sys.executable, "-c", "print(6)"], capture_output=True)
            found = int(done.stdout)
    return Outcome(found)


@operation(
    "children.slow",
    schema=HowSchema,
    max_attempts=1,
    in_database=False,
    queue="slow",
    timeout_seconds=60,
)
def start_on_a_thread(item: Item, context: Context) -> Outcome:
    """On a thread."""
    return start(item, context)
