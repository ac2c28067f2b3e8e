"""Fluent's dialect and its words."""

from __future__ import annotations

from app.dialects.common.dialect import Dialect
from app.dialects.common.status_map import batch_words
from app.dialects.fluent.errors import FluentErrors, render
from app.dialects.fluent.examples import EXAMPLES
from app.web.blueprint import DescribedBlueprint

NAME = "fluent"

BATCH = batch_words(
    PENDING="OPEN SCHEDULED AWAITING PENDING",
    RUNNING="RUNNING PAUSED",
    COMPLETE="SUCCESS PARTIAL FAILED CANCELED",
)

blueprint = DescribedBlueprint(
    NAME, __name__, description="Fluent Commerce's Category Batch API.", errors=FluentErrors
)
dialect = Dialect(
    NAME,
    blueprint,
    words=BATCH,
    examples=EXAMPLES,
    prefixes=("/api/v4.1",),
    renderer=render,
)
