"""A Postgres for handlers that have tables of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from app.core.addresses import database_url
from app.db import make_engine
from app.local.servers import start_postgres


@contextmanager
def database() -> Iterator[Engine]:
    """An engine on an empty database, of a server that is started for it and gone afterwards.

    It is the server of `batchline serve`, in a temporary folder, and takes two seconds to start:
    once a session is enough. Its tables are yours to make. Raises ServerError where it cannot be
    started.
    """
    with tempfile.TemporaryDirectory(prefix="batchline-testing-") as folder:
        # Below a folder that only its maker may enter: as root, the server is somebody else.
        Path(folder).chmod(0o711)
        with start_postgres(Path(folder) / "home", options={"fsync": "off"}) as server:
            engine = make_engine(database_url(server.url), name="batchline-testing")
            try:
                yield engine
            finally:
                engine.dispose()
