"""`python -m benchmarks.streams`: a million lines in one request, beside a plain COPY of the same.

The batch is submitted with `start=manual`, so that nothing but taking it in is measured: reading,
checking, spooling and copying, from the first byte sent to the 202. Beside it the same lines are
copied into the same table by psql's own means, over one connection, with nothing checked. The web
process's peak memory is what the kernel says (VmHWM), summed over its processes.
"""

from __future__ import annotations

import argparse
import gzip
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from uuid import UUID

import psutil
import psycopg2

from app.core.ids import new_id
from benchmarks.stack import Stack, running_stack

_PIECE = 1 << 16
_TYPES = {"application/x-ndjson": "NDJSON", "text/csv": "CSV"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rows = [(f"A{number:09}", "US", f"{number % 97 / 10:.1f}") for number in range(options.items)]
    ndjson = "".join(
        f'{{"asin":"{asin}","countryCode":"{country}","percACoS":{percent}}}\n'
        for asin, country, percent in rows
    ).encode()
    csv = ("asin,countryCode,percACoS\n" + "".join(f"{','.join(row)}\n" for row in rows)).encode()
    packed = gzip.compress(ndjson, 6)
    times: dict[str, list[float]] = {}
    with running_stack(None, {}) as stack:
        idle = _peak_mib(stack)
        for _ in range(options.rounds):
            _note(times, "plain COPY", _copy(stack, ndjson))
            _note(times, "NDJSON", _submit(stack, ndjson, "application/x-ndjson"))
            _note(times, "NDJSON, gzip", _submit(stack, packed, "application/x-ndjson", "gzip"))
            _note(times, "CSV", _submit(stack, csv, "text/csv"))
        print(f"{options.items:,} items, median of {options.rounds}\n")
        print("| what | seconds | rows/s | x plain COPY's time |\n| --- | --- | --- | --- |")
        floor = median(times["plain COPY"])
        for what, seconds in times.items():
            middle = median(seconds)
            print(
                f"| {what} | {middle:.2f} | {options.items / middle:,.0f} | {middle / floor:.2f} |"
            )
        print(f"\npeak memory of web: {_peak_mib(stack):.0f} MiB ({idle:.0f} MiB before)")


def _note(times: dict[str, list[float]], what: str, seconds: float) -> None:
    times.setdefault(what, []).append(seconds)


def _submit(stack: Stack, body: bytes, kind: str, encoding: str | None = None) -> float:
    headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
    began = time.perf_counter()
    answer = stack.http.post(
        "/v1/batches",
        params={"operation": "catalog.masterlist", "start": "manual"},
        headers=headers,
        content=_pieces(body),
    )
    seconds = time.perf_counter() - began
    assert answer.status_code == 202, answer.text
    _remove(stack, UUID(answer.json()["id"]))
    return seconds


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _copy(stack: Stack, ndjson: bytes) -> float:
    batch_id = new_id()
    lines = io.BytesIO(
        b"".join(
            b"%s\t%d\t%s\n" % (str(batch_id).encode(), index, line)
            for index, line in enumerate(ndjson.splitlines())
        )
    )
    with psycopg2.connect(stack.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO batches (id, client_id, status) VALUES (%s, %s, 'OPEN')",
            (str(batch_id), str(stack.client.client_id)),
        )
        began = time.perf_counter()
        cursor.copy_expert("COPY items (batch_id, index, input) FROM STDIN", lines)
        connection.commit()
        seconds = time.perf_counter() - began
    connection.close()
    _remove(stack, batch_id)
    return seconds


def _remove(stack: Stack, batch_id: UUID) -> None:
    with psycopg2.connect(stack.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM batches WHERE id = %s", (str(batch_id),))
    connection.close()


def _peak_mib(stack: Stack) -> float:
    """The peak resident memory of the processes of `web`, its guard left out."""
    web = psutil.Process(stack.processes["web"].process.pid)
    total = 0
    for process in web.children(recursive=True):
        status = Path(f"/proc/{process.pid}/status").read_text()
        total += int(status.split("VmHWM:")[1].split()[0])
    return total / 1024


if __name__ == "__main__":
    main()
