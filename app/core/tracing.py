"""OpenTelemetry traces, from the request to the item, if they are asked for.

Asked for by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`),
and installed by the extra `otel`. Without the variables nothing of it is imported and `span` does
nothing; without the extra the process does not start, and says what is missing.

A request, its SQL and every task are spans of one trace, since a task's message carries its
sender's context; so is every call of a handler. What the sweep sends again begins a new one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from app.core.errors import SettingsError

if TYPE_CHECKING:
    from flask import Flask
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer
    from sqlalchemy import Engine

_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracer: Tracer | None = None


def asked_for(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment wants traces."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    return exporter != "none" and bool(exporter or any(environ.get(name) for name in _VARIABLES))


def trace_web(flask: Flask, engine: Engine) -> None:
    """Trace the requests of `flask`, what they do in Postgres, and what they send."""
    if not asked_for():
        return
    set_up("batchline-web")
    from celery.signals import before_task_publish
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    FlaskInstrumentor().instrument_app(flask, excluded_urls="healthz,readyz,metrics")
    # It does not list SQLAlchemy 2.1 as supported, but the events that it listens to are the same.
    SQLAlchemyInstrumentor().instrument(engine=engine, skip_dep_check=True)
    # Celery's own instrumentation never ends the span of a task that is sent by its name alone.
    before_task_publish.connect(_pass_on, weak=False, dispatch_uid="batchline.tracing")


def trace_worker(engine: Engine) -> None:
    """Trace the tasks of this worker process, and what they do in Postgres."""
    if not asked_for():
        return
    set_up("batchline-worker")
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    CeleryInstrumentor().instrument()
    SQLAlchemyInstrumentor().instrument(engine=engine, skip_dep_check=True)


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around the block, with attributes `batchline.…`; nothing where tracing is off."""
    if _tracer is None:
        return _NOTHING
    named = {f"batchline.{key}": value for key, value in attributes.items() if value is not None}
    return _tracer.start_as_current_span(name, attributes=named)


def set_up(service: str, exporter: SpanExporter | None = None) -> None:
    """Send this process's spans to `exporter`, or to where the environment says.

    Raises SettingsError where the extra is not installed.
    """
    global _tracer
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra: pip install 'batchline[otel]' "
            f"({error})"
        ) from error
    if _tracer is not None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter())
        if exporter is None
        else SimpleSpanProcessor(exporter)
    )
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("batchline")


def _pass_on(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Give the message that is about to be sent the context of the span that sends it."""
    from opentelemetry.propagate import inject

    if headers is not None:
        inject(headers)
