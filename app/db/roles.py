"""A role for Batchline's processes that can do no more than they must."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, Engine

from app.core.errors import BatchlineError
from app.db.statements.roles import FIND_ROLE, FORMAT_CREATE_ROLE, FORMAT_GRANTS


class NoPassword(BatchlineError):
    """The role is to be made, and nobody has said with which password."""


def grant(engine: Engine, role: str, password: str | None = None) -> bool:
    """Have `role` read and write the rows of the schema; whether it was made for that.

    `engine`: connects as the owner of the schema, who makes the migrations. `password`: of a role
    that there is not yet; one that there is keeps its own. May be done again at any time. Raises
    NoPassword where the role is missing and there is none.
    """
    with engine.begin() as connection:
        there = connection.execute(FIND_ROLE, {"role": role}).scalar_one()
        if not there:
            if not password:
                raise NoPassword(
                    f"There is no role {role!r}; ROLE_PASSWORD must say with which password to "
                    "make it."
                )
            these = {"role": role, "password": _verifier(connection, role, password)}
            made = connection.execute(FORMAT_CREATE_ROLE, these).scalar_one()
            connection.exec_driver_sql(made.replace("%", "%%"))
        for statement in connection.execute(FORMAT_GRANTS, {"role": role}).scalars().all():
            connection.exec_driver_sql(statement.replace("%", "%%"))
    return not there


def _verifier(connection: Connection, role: str, password: str) -> str:
    """What Postgres keeps of the password, so that neither its log nor an error quotes that."""
    driver: Any = connection.connection.driver_connection
    made: str = encrypt_password(password, role, scope=driver, algorithm="scram-sha-256")
    return made
