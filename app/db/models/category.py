"""Categories live in `records`; the numbers that other systems know them by come from here."""

from __future__ import annotations

from sqlalchemy import Sequence

from app.db.models.base import Base

CATEGORY_IDS = Sequence("category_ids", metadata=Base.metadata)
