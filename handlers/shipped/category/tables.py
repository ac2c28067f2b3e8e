"""Categories are records; the numbers that other systems know them by are counted here."""

from __future__ import annotations

from sqlalchemy import Sequence

from handlers.tables import metadata

CATEGORY_IDS = Sequence("category_ids", metadata=metadata)
