"""How handlers are found: the shipped ones, installed entry points, and modules by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points

from handlers.registry import Registry, registry
from handlers.shipped.http_request.handler import offer

ENTRY_POINT_GROUP = "batchline.handlers"
SHIPPED = (
    "handlers.shipped.catalog.handler",
    "handlers.shipped.products.handler",
    "handlers.shipped.category.handler",
    "handlers.shipped.loyalty.handler",
    "handlers.shipped.demo.handler",
)


def load_handlers(
    modules: Iterable[str] = (), *, http_bases: Mapping[str, str] | None = None
) -> Registry:
    """Import the shipped handlers, the installed entry points and `modules`; the filled registry.

    `http_bases`: the URLs, by name, that `http.request` may reach; it is offered only if there are
    any. Raises ImportError, naming the module, if one cannot be imported.
    """
    for module in (*SHIPPED, *modules):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ImportError(f"handlers module {module!r}: {error}") from error
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        entry_point.load()
    offer(registry, http_bases or {})
    return registry
