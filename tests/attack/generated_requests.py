"""Requests made from the OpenAPI document, by a generator, with right credentials.

Every route of `/v1` and of each dialect, with values that fit and values that do not. Nothing of it
may be answered by a 5xx but a 503 that says when to come back.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.attack.flood import BUSY
from tests.attack.kinds import Attack, Target

_REQUESTS = 50_000
# Seconds of one run of the generator: its memory grows with what it has seen.
_RUN = 60
_SHORT_RUN = 20
# What the server says where it is at fault, without an answer that has a line.
_CRASHES = ("loop.failed", "thread.crashed", "Error while answering")
_COUNT = re.compile(r"(\d[\d,]*) generated")


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        sent = pool.submit(_generate_all, target)
        yield
        sent.result()
    wrong = _server_errors(target.stack.logs / "web.log")
    assert not wrong, f"{len(wrong)} answers of 5xx, as {wrong[0]}"


def _generate_all(target: Target) -> None:
    sent = 0
    for seed in itertools.count(1):
        sent += _generate(target, seed)
        if target.short or sent >= _REQUESTS:
            return


def _generate(target: Target, seed: int) -> int:
    """Run the generator once; how many requests it has sent."""
    secret, api_key = target.attacker.secret, target.attacker.api_key
    headers = {
        "Authorization": f"Bearer {secret}",
        **dict.fromkeys(("x-api-key", "APIKey", "Subscription-Key"), api_key),
        "SecretKey": secret,
    }
    with tempfile.TemporaryFile("w+") as said:
        subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"{target.stack.url}/openapi.json",
                *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
                *("--checks", "not_a_server_error", "--phases", "coverage,fuzzing"),
                *("--max-time", str(_SHORT_RUN if target.short else _RUN), "--seed", str(seed)),
                *("--workers", "2", "--continue-on-failure", "--warnings", "off"),
            ],
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=tempfile.gettempdir(),
            check=False,
        )
        said.seek(0)
        text = said.read()
    found = _COUNT.search(text)
    assert found is not None, f"the generator did not run: {text[-500:]}"
    return int(found[1].replace(",", ""))


def _server_errors(log: Path) -> list[str]:
    """What was answered by a 5xx other than the clean 503, or failed without an answer."""
    wrong = []
    for line in log.read_text(errors="replace").splitlines():
        if any(event in line for event in _CRASHES):
            wrong.append(line[:300])
        elif '"status": 5' in line:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            # Of a 503 the line that tells its type stands before the one of its answer.
            if entry["status"] != 503 or entry.get("type", BUSY) != BUSY:
                wrong.append(f"{entry.get('method')} {entry.get('path')}")
    return wrong


ATTACK = Attack("50,000 generated requests", "no 5xx but the clean 503", _under_way, seconds=10)
