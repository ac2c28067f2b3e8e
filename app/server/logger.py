"""Gunicorn's own lines, in the one format of the process's logs."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from app.core.logs import set_up_logs
from app.core.settings import load_settings


class WebLogger(Logger):
    """As gunicorn's otherwise, whose lines would be plain text among objects."""

    def setup(self, cfg: Any) -> None:
        """Leave writing to the handler of the process's root logger."""
        super().setup(cfg)
        set_up_logs(load_settings())
        for log in (self.error_log, self.access_log):
            log.handlers = []
            log.propagate = True
