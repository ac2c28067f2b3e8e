"""The shipped example batches, submitted and watched.

A `.json` file is a request for POST /v1/batches. An `.ndjson` or `.csv` file says in its name what
its batch is called and which operation it is for: `nightly-feed.catalog.masterlist.ndjson`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from app.local.serve.shipped import SHIPPED
from app.terminal import progress
from batchline.client.api import Api
from batchline.client.submission import File, describe, submit

FOLDER = SHIPPED / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One file, and what its batch asks for."""

    file: File
    operations: frozenset[str]
    fields: dict[str, Any]


def submit_examples(
    api: Api,
    console: Console,
    folder: Path = FOLDER,
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Submit the examples whose operations are offered; show them until they have ended.

    `meanwhile` is called now and then. Returns the batches as they ended. Raises ApiError.
    """
    offered = {operation["name"] for operation in api.get("/v1/operations")["data"]}
    batches = [
        submit(api, example.file, example.fields)
        for example in find_examples(folder)
        if example.operations <= offered
    ]
    ended = progress.watch(api, batches, console, meanwhile=meanwhile, transient=True)
    for batch in ended:
        console.print(progress.summary_line(batch))
    return ended


def find_examples(folder: Path = FOLDER) -> Iterator[Example]:
    """The example files of `folder`, by name."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            request = json.loads(path.read_text())
            yield Example(describe(str(path)), frozenset(_operations(request)), {})
        elif path.suffix in {".ndjson", ".csv"}:
            name, _, operation = path.stem.partition(".")
            fields = {"name": name.replace("-", " "), "operation": operation}
            yield Example(describe(str(path)), frozenset({operation}), fields)


def _operations(request: dict[str, Any]) -> Iterator[str]:
    """Every operation that a request names, for itself or for one of its items."""
    if "operation" in request:
        yield request["operation"]
    for item in request.get("items", ()):
        if isinstance(item, dict) and item.keys() == {"operation", "data"}:
            yield item["operation"]
