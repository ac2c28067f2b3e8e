"""What Postgres says of an error, as it may be logged: without the values that it quotes."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from app.core.log_scrubbing import scrub

NUMBER = "98765432109876543210"
WORD = "canary-value-7"
BAD = {
    "no number": ("CAST(:value AS integer)", WORD),
    "a number that is too large": ("CAST(:value AS integer)", NUMBER),
    "too large for any": ("CAST(:value AS bigint)", NUMBER),
    "no double": ("CAST(:value AS float)", f"{NUMBER}e999"),
    "no id": ("CAST(:value AS uuid)", WORD),
    "no time": ("CAST(:value AS timestamptz)", WORD),
    "a time that cannot be": ("CAST(:value AS date)", "2031-13-41"),
    "no JSON": ("CAST(:value AS jsonb)", f'{{"{WORD}": '),
    "no boolean": ("CAST(:value AS boolean)", WORD),
    "no array": ("CAST(:value AS text[])", WORD),
    "no address": ("CAST(:value AS inet)", WORD),
    "no bytes": ("decode(:value, 'hex')", WORD),
    "no pattern": ("'x' ~ :value", f"({WORD}"),
    "no length of time": ("CAST(:value AS interval)", WORD),
    "no range": ("CAST(:value AS int4range)", WORD),
}


@pytest.mark.parametrize("how", BAD)
def test_values_are_not_told(engine: Engine, how: str) -> None:
    expression, value = BAD[how]
    with engine.connect() as connection, pytest.raises(DBAPIError) as raised:
        connection.execute(text(f"SELECT {expression}"), {"value": value})
    told = scrub(str(raised.value))
    assert "psycopg2.errors." in told, "what kind of error it is stays"
    assert value not in told
    assert WORD not in told
    assert NUMBER not in told
