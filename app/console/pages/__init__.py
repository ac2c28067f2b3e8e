"""The console's pages, in the order of the navigation."""

from __future__ import annotations

from app.console.pages.activity.view import page as activity
from app.console.pages.batch.view import page as batch
from app.console.pages.batches.view import page as batches
from app.console.pages.item.view import page as item
from app.console.pages.items.view import page as items
from app.console.pages.operations.view import page as operations
from app.console.pages.overview.view import page as overview
from app.console.pages.search.view import page as search
from app.console.pages.sign_in.view import page as sign_in
from app.console.pages.submit.view import page as submit
from app.console.pages.webhooks.view import page as webhooks
from app.console.pages.workers.view import page as workers
from app.console.shell.page import Page

PAGES: tuple[Page, ...] = (
    sign_in,
    overview,
    batches,
    batch,
    items,
    item,
    submit,
    operations,
    workers,
    webhooks,
    activity,
    search,
)
