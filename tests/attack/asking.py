"""Requests of which each may be answered in some ways alone, asked by many connections at once."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

from tests.api.test_anothers_ids import MARK
from tests.attack.flood import is_clean
from tests.attack.kinds import Target
from tests.attack.refusals import Case

# How often a request is made that finds all places taken, or its connection closed.
_TRIES = 5


@contextmanager
def asked(
    target: Target, cases: Sequence[Case], connections: int, *, per_second: float
) -> Iterator[list[str]]:
    """Ask all of them by many connections, over and over; what was answered wrongly.

    `per_second`: of all together, at most.
    """
    leaks: list[str] = []
    numbers, done = count(), threading.Event()
    pause = connections / per_second

    def ask_on() -> None:
        with Connection(target.address) as connection:
            while (number := next(numbers)) < len(cases) or not done.is_set():
                began = time.monotonic()
                case = cases[number % len(cases)]
                if said := connection.judged(case):
                    leaks.append(f"{case}: {said}")
                done.wait(max(0.0, began + pause - time.monotonic()))

    with ThreadPoolExecutor(connections) as pool:
        asking = [pool.submit(ask_on) for _ in range(connections)]
        try:
            yield leaks
        finally:
            done.set()
        for one in asking:
            one.result()


class Connection:
    """A connection that asks one case after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._http = http.client.HTTPConnection(*address, timeout=60)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def judged(self, case: Case) -> str | None:
        """What is wrong with the answer; None for nothing."""
        said = "was not answered"
        for _ in range(_TRIES):
            try:
                self._http.request(case.method, case.path, case.body, dict(case.headers))
                answer = self._http.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._http.close()
                said = f"{type(error).__name__} {error}"
                continue
            if answer.status == 503 and is_clean(answer.getheader("Retry-After"), text):
                said = "all places were taken each time"
                continue
            if answer.status not in case.expected:
                return f"{answer.status} {text[:200]!r}"
            return "it shows what is another's" if MARK.encode() in text else None
        return said
