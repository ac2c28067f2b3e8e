"""Migrations only expand, so that the release before goes on working on the schema."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSIONS = Path(__file__).parents[1] / "app/db/migrations/versions"
# The last one of a time in which nothing ran beside it.
LAST_FREE = "0007"
MARKER = "CONTRACTS"

_NARROWS = {
    "drop_column",
    "drop_table",
    "drop_index",
    "rename_table",
    "alter_column",
}
_SQL = re.compile(
    r"\bDROP\s+(TABLE|COLUMN|INDEX|TYPE|VIEW)\b|\bRENAME\b|\bSET\s+NOT\s+NULL\b|\bTRUNCATE\b"
    r"|\bALTER\s+(COLUMN\s+)?\w+\s+TYPE\b",
    re.IGNORECASE,
)


def contractions(source: str) -> Iterator[str]:
    """What in `upgrade` takes something from the release before, by line."""
    tree = ast.parse(source)
    upgrades = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "downgrade"
    ]
    for node in (inner for function in upgrades for inner in ast.walk(function)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in _NARROWS:
                yield f"line {node.lineno}: {name}"
            elif name == "add_column" and _must_be_given(node):
                yield f"line {node.lineno}: add_column, NOT NULL without a default"
        elif isinstance(node, ast.Constant) and (found := _SQL.search(str(node.value))):
            yield f"line {node.lineno}: {found[0]}"


def _must_be_given(call: ast.Call) -> bool:
    column = next((one for one in call.args if isinstance(one, ast.Call)), None)
    if column is None:
        return False
    said = {keyword.arg: keyword.value for keyword in column.keywords}
    nullable = said.get("nullable")
    required = isinstance(nullable, ast.Constant) and nullable.value is False
    return required and "server_default" not in said


def _is_marked(source: str) -> bool:
    """Whether it says, in so many words, why it may contract."""
    return any(
        isinstance(node, ast.Assign)
        and [getattr(target, "id", "") for target in node.targets] == [MARKER]
        and isinstance(node.value, ast.Constant)
        and len(str(node.value.value)) > 20
        for node in ast.parse(source).body
    )


LATER = sorted(path for path in VERSIONS.glob("0*.py") if path.stem[:4] > LAST_FREE)


@pytest.mark.parametrize("migration", LATER, ids=lambda path: path.stem)
def test_a_migration_only_expands_or_says_why_not(migration: Path) -> None:
    source = migration.read_text()
    found = list(contractions(source))
    assert not found or _is_marked(source), f"expand first; or say {MARKER} = why: {found}"


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("slices", "backend_pid")',
        'op.drop_table("t")',
        'op.alter_column("t", "c", new_column_name="d")',
        'op.add_column("t", sa.Column("c", sa.Text(), nullable=False))',
        'op.execute("ALTER TABLE t RENAME COLUMN a TO b")',
        'op.execute("ALTER TABLE t ALTER COLUMN a SET NOT NULL")',
        'op.execute("ALTER TABLE t ALTER COLUMN a TYPE bigint")',
        'op.execute("ALTER TABLE t DROP COLUMN a")',
    ],
)
def test_what_would_break_the_release_before_is_found(line: str) -> None:
    source = f"def upgrade():\n    {line}\n"
    assert len(list(contractions(source))) == 1
    assert not _is_marked(source)
    assert _is_marked(f'{MARKER} = "nothing has read it since release 0.3"\n{source}')


@pytest.mark.parametrize(
    "line",
    [
        'op.add_column("t", sa.Column("c", sa.Text(), nullable=False, server_default="x"))',
        'op.add_column("t", sa.Column("c", sa.Text()))',
        'op.execute("ALTER TABLE t DROP CONSTRAINT c")',
        'op.create_index("i", "t", ["c"])',
    ],
)
def test_what_expands_is_let_through(line: str) -> None:
    assert list(contractions(f"def upgrade():\n    {line}\n")) == []
