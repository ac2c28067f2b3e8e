"""How handlers are found: the shipped ones, installed entry points, and modules by name."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from handlers.operation import Operation, WrongOperation
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
    modules: Iterable[str] = (),
    *,
    http_bases: Mapping[str, str] | None = None,
    packages: bool = True,
) -> Registry:
    """Import the shipped handlers, the installed entry points and `modules`; the filled registry.

    `http_bases`: the URLs, by name, that `http.request` may reach; it is offered only if there are
    any. `packages`: whether entry points are loaded. Raises ImportError, with the module and the
    reason in one line, whatever a module does when it is imported.
    """
    for module in (*SHIPPED, *modules):
        _load(module, partial(_imported, module))
    for entry_point in entry_points(group=ENTRY_POINT_GROUP) if packages else ():
        _load(entry_point.value, entry_point.load, _brought_by(entry_point))
    offer(registry, http_bases or {})
    return registry


def without_operations(modules: Iterable[str]) -> list[str]:
    """Those of loaded modules of whose packages no operation is: perhaps another one was meant."""
    packages = set()
    for one in registry:
        handler = getattr(one.handler, "func", one.handler)  # a functools.partial has it
        packages.add(str(getattr(handler, "__module__", "")).partition(".")[0])
    return [module for module in modules if module.partition(".")[0] not in packages]


def refused(error: ImportError, modules: Iterable[str]) -> str:
    """The line for what `load_handlers(modules)` raised: it names HANDLERS if that names it."""
    return f"HANDLERS: {error}" if error.name in tuple(modules) else str(error)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Modules, looked at: the operations that they register, and a line for whatever is wrong."""

    operations: list[Operation]
    wrong: list[str]


def look_at_handlers(
    modules: Iterable[str], *, http_bases: Mapping[str, str] | None = None
) -> Loaded:
    """Load as `load_handlers` does, to its end whatever is wrong.

    `operations`: those of `modules` alone. `wrong`: also what is with installed packages, since
    nothing starts with them.
    """
    wrong: list[str] = []
    load_handlers(http_bases=http_bases, packages=False)
    before = {one.name for one in registry}
    with registry.collecting() as not_registered:
        for module in modules:
            wrong += _looked_at(module, partial(_imported, module))
        operations = [one for one in registry if one.name not in before]
        for entry_point in entry_points(group=ENTRY_POINT_GROUP):
            brought_by = _brought_by(entry_point)
            wrong += _looked_at(entry_point.value, entry_point.load, brought_by)
    return Loaded(operations, [*map(str, not_registered), *wrong])


def _brought_by(entry_point: EntryPoint) -> str:
    name = entry_point.dist.name if entry_point.dist else entry_point.name
    return f" (of the installed package {name})"


def _imported(module: str) -> None:
    if "/" in module or module.endswith(".py"):
        raise ImportError("a module is named as in an import (shop.handlers), not by its file")
    importlib.import_module(module)


def _looked_at(module: str, load: Callable[[], object], brought_by: str = "") -> Iterator[str]:
    try:
        _load(module, load, brought_by)
    except ImportError as error:
        yield str(error)


def _load(module: str, load: Callable[[], object], brought_by: str = "") -> None:
    try:
        load()
    except KeyboardInterrupt:  # Ctrl-C while the module is being imported
        raise
    except BaseException as error:
        said = f"handlers module {module!r}{brought_by}: {_why(error)}{_where(error, module)}"
        raise ImportError(said, name=module) from error


def _where(error: BaseException, module: str) -> str:
    """The line of the module, or of its package, that raised; or what a module is found by."""
    package = module.partition(":")[0].partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return ": modules are found from the folder where one starts, or are installed"
    if isinstance(error, (WrongOperation, SyntaxError)):
        return ""  # it has said where
    frames = traceback.walk_tb(error.__traceback__)
    theirs = [
        (Path(frame.f_code.co_filename).name, line)
        for frame, line in frames
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
        and frame.f_code.co_filename != __file__
    ]
    return f" ({theirs[-1][0]}, line {theirs[-1][1]})" if theirs else ""


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
