"""Logging: structlog over the standard library; JSON in production, readable in a terminal.

No line bears a secret, or what items hold (log_scrubbing.py). Where lines are JSON all of them are,
also what is printed, warned of, or said by an interpreter that ends (log_lines.py).
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import structlog

from app.core.colours import colours_wanted
from app.core.declared import declarations
from app.core.log_lines import print_objects, underneath
from app.core.log_scrubbing import keep_out, keep_to_lines, scrub_entry
from app.core.settings import Settings

log = structlog.get_logger(__name__)


def set_up_logs(settings: Settings) -> None:
    """Send every log line of the process, ours and the libraries', to stderr in one format.

    Warnings and uncaught exceptions, those of threads too, become log lines.
    """
    keep_out(secrets_of(settings))
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            # What is not written is not made first.
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    rendered: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [keep_to_lines, structlog.dev.ConsoleRenderer(colors=colours_wanted())]
    )
    handler = logging.StreamHandler(underneath(sys.stderr))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                scrub_entry,
                *rendered,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # A line for every message received would cost more than many items do.
    for noisy in ("celery.worker.strategy", "celery.app.trace", "kombu", "amqp", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed
    if as_json:
        print_objects()


def secrets_of(settings: Settings) -> list[str]:
    """The values of the settings that are secret."""
    found: list[str] = []
    for one in declarations(Settings):
        if one.secret:
            value = getattr(settings, one.name)
            found += value.values() if isinstance(value, dict) else [value or ""]
    return found


def _crashed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("process.crashed", exc_info=(kind, error, trace))


def _thread_crashed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    about = (args.exc_type, args.exc_value, args.exc_traceback)
    log.error("thread.crashed", thread=getattr(args.thread, "name", None), exc_info=about)
