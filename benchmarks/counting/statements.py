"""What a Postgres server was asked, out of its log.

`log_statement` writes a line for each message with SQL, before it is carried out. psycopg2 sends
one message an `execute` and waits for its answer, so a line is a round trip.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

LOGGING = {"log_statement": "all", "log_line_prefix": "#%a|%p# "}
"""Settings of the server under which its log is what `parse` reads."""

_ENTRY = re.compile(r"^#(?P<application>[^|#]*)\|(?P<session>\d+)# ", re.MULTILINE)
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (?P<text>.*)", re.DOTALL)
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY \w+ .*FROM)\b", re.DOTALL)
_LITERALS = (
    (re.compile(r"'(?:[^']|'')*'"), "?"),
    (re.compile(r'"c_\w+"'), "cursor"),  # SQLAlchemy's cursors, numbered
    (re.compile(r"\b\d+(?:\.\d+)?\b"), "?"),
    (re.compile(r"\?(?:::\w+)?(?:\s*,\s*\?(?:::\w+)?)+"), "?"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Statement:
    """A message with SQL. `application`: the session's name; `session`: its server process."""

    application: str
    session: int
    text: str

    @property
    def shape(self) -> str:
        """The text on one line, without values: the same for all that come from one place."""
        shape = self.text
        for pattern, put in _LITERALS:
            shape = pattern.sub(put, shape)
        return shape.strip()

    @property
    def kind(self) -> str:
        """What process sent it: the first word of the application's name."""
        return self.application.partition(" ")[0].removeprefix("batchline-") or "?"


@dataclass(frozen=True)
class Asked:
    """How much a server was asked.

    `statements`: all of them, BEGIN, COMMIT and pings included. `round_trips`: messages, one more
    for each COPY, whose rows are sent when the server has said that it takes them. `commits`: of
    transactions, and of statements that write outside of any.
    """

    statements: int
    round_trips: int
    commits: int


def parse(log: str) -> list[Statement]:
    """The statements in a log, in the order in which they came. Other entries are passed over."""
    entries = list(_ENTRY.finditer(log))
    ends = [entry.start() for entry in entries[1:]] + [len(log)]
    statements = []
    for entry, end in zip(entries, ends, strict=False):  # (an empty log has an end and no entry)
        found = _STATEMENT.match(log[entry.end() : end])
        if found:
            statements.append(
                Statement(entry["application"], int(entry["session"]), found["text"].strip())
            )
    return statements


def count(statements: Iterable[Statement]) -> Asked:
    """Count them. A session whose first statements are missing is taken to be in no transaction."""
    number = round_trips = commits = 0
    open_sessions: set[int] = set()
    for message in statements:
        round_trips += 1
        for statement in _split(message.text):
            number += 1
            word = statement.split(maxsplit=1)[0].upper()
            if word in ("BEGIN", "START"):
                open_sessions.add(message.session)
            elif word in ("COMMIT", "END"):
                commits += 1
                open_sessions.discard(message.session)
            elif word in ("ROLLBACK", "ABORT") and " TO " not in statement.upper():
                open_sessions.discard(message.session)
            elif message.session not in open_sessions and _WRITES.search(statement):
                commits += 1
            if word == "COPY":
                round_trips += 1
    return Asked(number, round_trips, commits)


def by_shape(statements: Iterable[Statement]) -> list[tuple[str, str, int]]:
    """What process sent what how often, in the order in which each was sent first."""
    counted = Counter((one.kind, one.shape) for one in statements)
    return [(kind, shape, number) for (kind, shape), number in counted.items()]


def _split(text: str) -> list[str]:
    """The statements of a message: parted by semicolons that stand in no literal."""
    parts = re.findall(r"(?:'(?:[^']|'')*'|[^';])+", text)
    return [part.strip() for part in parts if part.strip()]
