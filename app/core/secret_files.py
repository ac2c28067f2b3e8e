"""Secrets in files: `METRICS_TOKEN_FILE` names a file that holds what `METRICS_TOKEN` would say.

So they are where an orchestrator puts secrets (`/run/secrets/…`), and not in an environment that
tools show and that every child process has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

SUFFIX = "_FILE"
MOST_BYTES = 64 * 1024


def with_files(
    environ: Mapping[str, str], variables: Iterable[str]
) -> tuple[Mapping[str, str], dict[str, str]]:
    """`environ` with what is in files, for `variables`; and what is wrong, by variable.

    White space around a file's content does not count. An empty variable counts as unset.
    """
    read: dict[str, str] = {}
    problems: dict[str, str] = {}
    for variable in variables:
        name = f"{variable}{SUFFIX}"
        path = environ.get(name, "").strip()
        if not path:
            continue
        if environ.get(variable, "").strip():
            problems[name] = f"{variable} is set, too; only one of them can be."
            continue
        try:
            read[variable] = _content(Path(path))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            problems[name] = f"{path!r} cannot be used: {why}."
    return {**environ, **read}, problems


def _content(path: Path) -> str:
    if not path.is_absolute():
        raise ValueError("the path must be absolute")
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES // 1024} KiB")
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if not text:
        raise ValueError("it is empty")
    if "\n" in text or "\0" in text:
        raise ValueError("it has more than one line")
    return text
