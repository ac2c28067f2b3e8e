"""How many rows statements read, as Postgres tells it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event


class Reads:
    """The rows of a table that each statement of a block has read, as Postgres tells it."""

    def __init__(self, connection: Connection, table: str) -> None:
        self._connection = connection
        self._table = table
        self._asked: list[tuple[str, Any]] = []

    def __enter__(self) -> Reads:
        event.listen(self._connection, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._connection, "before_cursor_execute", self._note)

    def _note(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        self._asked.append((statement, parameters))

    def most(self) -> int:
        """Of one statement."""
        return max(self._rows(*asked) for asked in self._asked)

    def _rows(self, statement: str, parameters: Any) -> int:
        explained = self._connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters
        ).scalar_one()
        return self._of(explained[0]["Plan"])

    def _of(self, node: dict[str, Any]) -> int:
        own = 0
        if node.get("Relation Name") == self._table:
            left_out = node.get("Rows Removed by Filter", 0)
            left_out += node.get("Rows Removed by Index Recheck", 0)
            own = (node["Actual Rows"] + left_out) * node["Actual Loops"]
        return int(own) + sum(self._of(each) for each in node.get("Plans", []))
