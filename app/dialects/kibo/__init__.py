"""Kibo: jobs that are filled, started, canceled and reset, after its "Batch Import" document.

`jobs` are the batch jobs themselves, `items` what is in one, `catalog` the catalog's paths, by
which items are added to a job.
"""

from app.dialects.kibo import catalog as catalog
from app.dialects.kibo import items as items
from app.dialects.kibo import jobs as jobs
from app.dialects.kibo.dialect import dialect as dialect
