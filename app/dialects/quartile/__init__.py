"""Quartile: an advertising masterlist in batches, after its "Batch processing" document."""

from app.dialects.quartile import routes as routes
from app.dialects.quartile.dialect import dialect as dialect
