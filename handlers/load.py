"""How handlers are found: the shipped ones, installed entry points, and modules by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points

from handlers.operation import WrongOperation
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
    any. Raises ImportError, with the module and the reason in one line, whatever a module does when
    it is imported.
    """
    for module in (*SHIPPED, *modules):
        _load(module, partial(importlib.import_module, module))
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        _load(entry_point.value, entry_point.load)
    offer(registry, http_bases or {})
    return registry


def _load(module: str, load: Callable[[], object]) -> None:
    try:
        load()
    except KeyboardInterrupt:  # Ctrl-C while the module is being imported
        raise
    except BaseException as error:
        raise ImportError(f"handlers module {module!r}: {_why(error)}") from error


def _why(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except BaseException:  # its text is somebody else's code
        text = ""
    if text and isinstance(error, (ImportError, WrongOperation)):
        return text
    name = type(error).__name__
    said = f"{name}: {text}" if text else name
    return f"it exits when it is imported ({said})" if isinstance(error, SystemExit) else said
