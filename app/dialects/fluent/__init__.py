"""Fluent Commerce: categories in batches of a job, after its "Category Batch API" document."""

from app.dialects.fluent import routes as routes
from app.dialects.fluent.dialect import dialect as dialect
