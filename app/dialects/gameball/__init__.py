"""Gameball: bulk cashback, redeem and balance inquiry, after its "Batches" document."""

from app.dialects.gameball import routes as routes
from app.dialects.gameball.dialect import dialect as dialect
