"""`make bench-console`: the console's pages beside two weeks of work and a large batch under way.

Each page is asked for in turn, as a browser does, while the large batch runs and again when all is
calm: the whole answer's time (p50, p95) and that of its first byte, and the seconds of processor
that web and Postgres took for it. Then what a page costs that is left open, which asks once a
second; and how long a submission takes while fifty are.
"""

from __future__ import annotations

import argparse
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from urllib.parse import urlencode
from uuid import UUID

import httpx
import psutil
from sqlalchemy import text

from benchmarks.batchline import Batchline
from benchmarks.console_tables import Loaded, load
from benchmarks.feed import Feeds
from benchmarks.stack import Stack, running_stack

OPEN_PAGES = 50
_IDLE = 10.0
_FOR_WEB = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'batchline-web'")
_POLLED = ("/console", "/console/batches", "/console/workers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=9_000_000)
    parser.add_argument("--batches", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args(arguments)
    with running_stack(None, {}) as stack:
        client = stack.client
        began = time.monotonic()
        loaded = load(
            stack.dsn,
            client.client_id,
            client.key_id,
            batches=options.batches,
            items=options.items,
            large=options.large,
        )
        print(
            f"{options.items:,} items in {options.batches:,} batches, one of {options.large:,}; "
            f"loaded in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        feeds = Feeds(first=1 << 33)
        Batchline(stack.http).run(feeds.take(2_000))  # so that the operation's cost is known
        with _signed_in(stack) as browser:
            pages = _pages(loaded, options)
            idle = _idle(stack)
            _measure(stack, browser, pages, options.times, "all is calm", idle)
            _left_open(stack, browser, loaded.failed, idle, "all is calm")
            _beside_open_pages(stack, browser, feeds, loaded)
            stack.http.post(f"/v1/batches/{loaded.large}/start").raise_for_status()
            _left_open(stack, browser, loaded.large, (0.0, 0.0), "while a large batch runs")
            _measure(stack, browser, pages, options.times, "the large one runs", (0.0, 0.0))
            print(stack.http.get(f"/v1/batches/{loaded.large}").json()["summary"])


def _pages(loaded: Loaded, options: argparse.Namespace) -> dict[str, str]:
    failed, large = (f"/console/batches/{each}" for each in (loaded.failed, loaded.large))
    deep = f"/console/batches?{urlencode({'createdAfter': '2020-01-01', 'status': 'SUCCESS'})}"
    return {
        "overview": "/console",
        "batches": "/console/batches",
        "batches, status": "/console/batches?status=PARTIAL",
        "batches, operation and time": f"{deep}&operation=catalog.masterlist",
        "batches, text found": "/console/batches?text=north",
        "batches, text in none": "/console/batches?text=nowhere-at-all",
        "batch that failed": failed,
        "batch, the large one": large,
        "items, first": f"{large}/items",
        "items, deep": f"{large}/items?after={options.large * 9 // 10}",
        "items, pending": f"{large}/items?status=PENDING",
        "items, failed in the large one": f"{large}/items?status=FAILED",
        "items, by failure": f"{failed}/items?failure={'0'.rjust(16, 'f')}",
        "items, a key in the large one": f"{large}/items?key=none-has-it",
        "item": f"{failed}/items/20",
        "operations": "/console/operations",
        "workers": "/console/workers",
        "webhooks": "/console/webhooks",
        "webhook with 20,000 deliveries": f"/console/webhooks/{loaded.webhook}",
        "activity": "/console/activity",
        "activity, an action": "/console/activity?action=batch.submit",
        "activity, an action of none": "/console/activity?action=nothing",
    }


@contextmanager
def _signed_in(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, timeout=120) as browser:
        form = browser.get("/console").text
        found = re.search(r'name="csrf" value="(\w+)"', form)
        assert found is not None, form
        fields = {"csrf": found[1], "secret": stack.client.secret}
        answer = browser.post("/console/sign-in", data=fields)
        assert answer.status_code == 303, answer.text
        yield browser


def _measure(
    stack: Stack,
    browser: httpx.Client,
    pages: dict[str, str],
    times: int,
    when: str,
    idle: tuple[float, float],
) -> None:
    print(f"\n{when}, {times} times each, in ms\n")
    print("| page | p50 | p95 | first byte p95 | CPU web | CPU Postgres | KiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, path in pages.items():
        whole, first, size, spent = [], [], 0, Spent(stack, idle)
        for _ in range(times):
            # Pages that are kept for a moment are looked up anew each time, or nearly.
            began = time.perf_counter()
            with browser.stream("GET", path) as answer:
                first.append(time.perf_counter() - began)
                size = len(answer.read())
                assert answer.status_code == 200, (path, answer.status_code)
            whole.append(time.perf_counter() - began)
        of_web, of_postgres = (each * 1000 / times for each in spent.seconds())
        print(
            f"| {name} | {median(whole) * 1000:.0f} | {_p95(whole) * 1000:.0f} "
            f"| {_p95(first) * 1000:.0f} | {of_web:.1f} | {of_postgres:.1f} | {size / 1024:.0f} |",
            flush=True,
        )


def _left_open(
    stack: Stack,
    browser: httpx.Client,
    batch_id: UUID,
    idle: tuple[float, float],
    when: str,
    polls: int = 100,
) -> None:
    print(f"\na page left open, {when}, of one core ({polls} polls, one a second)\n")
    print("| page | web | Postgres | together |\n| --- | --- | --- | --- |")
    of_batch = f"/console/batches/{batch_id}"
    for path in (*_POLLED, of_batch, "/console/batches?text=nowhere-at-all"):
        poll = _poller(browser, path)
        poll()
        meter = Spent(stack, idle)
        for _ in range(polls):
            poll()
            time.sleep(0.05)
        spent = [each / polls for each in meter.seconds()]
        shown = path.replace(str(batch_id), "{id}")
        print(f"| `{shown}` | {spent[0]:.2%} | {spent[1]:.2%} | {sum(spent):.2%} |", flush=True)


def _poller(browser: httpx.Client, path: str) -> Callable[[], None]:
    """What asks as the page's script does: for its live part, with the version that it has."""
    page = browser.get(path).text
    url = re.search(r'hx-get="([^"]+)"', page)
    assert url is not None, path
    version = [re.search(r'data-version="(\w+)"', page)]

    def poll() -> None:
        kept = version[0]
        address = httpx.URL(url[1].replace("&amp;", "&"))
        answer = browser.get(
            address.copy_merge_params({"v": kept[1] if kept else ""}),
            headers={"HX-Request": "true"},
        )
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 200:
            version[0] = re.search(r'data-version="(\w+)"', answer.text)

    return poll


def _beside_open_pages(
    stack: Stack, browser: httpx.Client, feeds: Feeds, loaded: Loaded, rounds: int = 6
) -> None:
    paths = (*_POLLED, f"/console/batches/{loaded.failed}")
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(rounds):
        alone += _submissions(stack, feeds)
        over = threading.Event()
        with httpx.Client(
            base_url=stack.url,
            timeout=120,
            cookies=browser.cookies,
            limits=httpx.Limits(max_connections=OPEN_PAGES),
        ) as shared:
            pollers = [_poller(shared, paths[n % len(paths)]) for n in range(OPEN_PAGES)]
            threads = [threading.Thread(target=_keep_on, args=(each, over)) for each in pollers]
            for thread in threads:
                thread.start()
            beside += _submissions(stack, feeds)
            over.set()
            for thread in threads:
                thread.join()
    ratio = median(beside) / median(alone)
    print(
        f"\na submission of 1,000 items, median of {len(alone)}: {median(alone) * 1000:.0f} ms "
        f"alone, {median(beside) * 1000:.0f} ms beside {OPEN_PAGES} open pages: x{ratio:.2f}",
        flush=True,
    )


def _keep_on(poll: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(1.0):
        poll()


def _submissions(stack: Stack, feeds: Feeds, number: int = 10) -> list[float]:
    taken = []
    for _ in range(number):
        body = feeds.take(1_000).body
        began = time.perf_counter()
        answer = stack.http.post(
            "/v1/batches",
            params={"start": "manual"},
            content=body,
            headers={"Content-Type": "application/json"},
        )
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 202, answer.text
        time.sleep(0.1)
    return taken


class Spent:
    """The seconds of processor of web since it was made, and of Postgres' processes that serve it.

    `idle`: what they take in a second while nobody asks, which is taken off.
    """

    def __init__(self, stack: Stack, idle: tuple[float, float] = (0.0, 0.0)) -> None:
        self._stack, self._idle = stack, idle
        self._began, self._before = time.monotonic(), self._now()

    def seconds(self) -> tuple[float, float]:
        """So far."""
        passed, now = time.monotonic() - self._began, self._now()
        web, postgres = (
            max(0.0, at - before - idle * passed)
            for at, before, idle in zip(now, self._before, self._idle, strict=True)
        )
        return web, postgres

    def _now(self) -> tuple[float, float]:
        return _cpu(self._stack, "web"), _cpu_for_web(self._stack)


def _idle(stack: Stack) -> tuple[float, float]:
    spent = Spent(stack)
    time.sleep(_IDLE)
    web, postgres = (each / _IDLE for each in spent.seconds())
    return web, postgres


def _cpu(stack: Stack, name: str) -> float:
    """Seconds of processor of a part of the stack so far, its children's with it."""
    guard = psutil.Process(stack.processes[name].process.pid)
    total = 0.0
    for process in (guard, *guard.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def _cpu_for_web(stack: Stack) -> float:
    """Seconds of processor of Postgres' processes that web has connections to: not of workers'."""
    with stack.engine.connect() as connection:
        pids = connection.execute(_FOR_WEB).scalars().all()
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


if __name__ == "__main__":
    main()
