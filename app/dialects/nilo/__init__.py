"""Nilo: updates of products, prices and promotions, after its "Batch Operations API" document."""

from app.dialects.nilo import routes as routes
from app.dialects.nilo.dialect import dialect as dialect
