"""The types of `clients/typescript`, made of the document: `make client-types` writes them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from flask import Flask

from app import api, dialects
from app.web.openapi import api_of

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
TYPES = Path("src") / "api.ts"


def native_document() -> str:
    """`/openapi.json?only=native` of an application without servers, as JSON text."""
    flask = Flask("described")
    api.register(flask)
    dialects.register(flask)
    return json.dumps(api_of(flask).document(only_native=True))


def install(folder: Path) -> None:
    """Install what the lock file in `folder` names, and run nothing of it."""
    _run(folder, "npm", "ci", "--ignore-scripts", "--loglevel=error")


def make_types(document: str, folder: Path) -> str:
    """What openapi-typescript, as installed in `folder`, makes of the document in any order."""
    ordered = json.dumps(json.loads(document), sort_keys=True)
    with tempfile.TemporaryDirectory() as made:
        source, types = Path(made) / "openapi.json", Path(made) / "api.ts"
        source.write_text(ordered)
        program = folder / "node_modules" / ".bin" / "openapi-typescript"
        _run(folder, str(program), str(source), "--output", str(types))
        return types.read_text()


def _run(folder: Path, *command: str) -> None:
    environ = {**os.environ, "REDOCLY_TELEMETRY": "off", "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


if __name__ == "__main__":
    if not (CLIENT / "node_modules").is_dir():
        install(CLIENT)
    (CLIENT / TYPES).write_text(make_types(native_document(), CLIENT))
