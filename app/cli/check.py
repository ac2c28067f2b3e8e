"""`batchline check`: what would be refused, by a worker or by an operation, said beforehand."""

from __future__ import annotations

import os
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from app.cli.described_files import described_file
from app.cli.options import as_json, print_json, print_table

if TYPE_CHECKING:
    from app.core.settings import Settings
    from batchline.client.submission import File
    from handlers import Operation

_SHOWN = 20
_KEPT = 1000
"""Invalid items that are named, in words and with --json; of more only their number is said."""


@click.command()
@click.argument("modules", metavar="MODULE...", nargs=-1, required=True)
@click.option(
    "--items",
    "file",
    type=click.Path(exists=True, dir_okay=False),
    help="Look whether these are valid, too: .json, .ndjson, .jsonl or .csv, also with .gz.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "ndjson", "csv"]),
    help="What that file holds, if its name does not say.",
)
@click.option("--operation", metavar="NAME", help="What the items are for, if it is not obvious.")
@as_json
def check(
    modules: tuple[str, ...],
    file: str | None,
    format_: str | None,
    operation: str | None,
    json_output: bool,
) -> None:
    """Load modules of handlers as a worker would, and say what is wrong with each operation.

    They are found from this folder, as `batchline serve` finds HANDLERS. No server is asked, and no
    handler is called. The exit status is 1 where something is wrong.
    """
    from app.core.settings import load_settings
    from handlers.load import look_at_handlers

    settings = load_settings()
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    found = look_at_handlers(modules, http_bases=settings.http_handler_bases)
    wrong = [*found.wrong, *_examples_at_fault(found.operations)]
    if not found.operations and not wrong:
        wrong = [f"{', '.join(modules)}: no operation is registered"]
    items: dict[str, Any] | None = None
    if file is not None:
        items = _look_at_items(
            described_file(file, format_), _meant(operation, found.operations), settings
        )
    if json_output:
        operations = [_shown(one) for one in found.operations]
        print_json({"operations": operations, "wrong": wrong, "items": items})
    else:
        if found.operations:
            _print_operations(found.operations)
        for line in wrong:
            click.echo(line, err=True)
        if items is not None:
            _print_items(items)
    if wrong or (items is not None and items["invalid"]):
        raise SystemExit(1)


def _examples_at_fault(operations: list[Operation]) -> list[str]:
    """What an operation shows as an example has to be valid."""
    from app.core.jsontext import dumps
    from app.operations.item_input import WrongInput, read_input

    wrong = []
    for one in operations:
        for number, example in enumerate(one.examples):
            try:
                read_input(one, dumps(example))
            except (WrongInput, TypeError) as error:
                module = getattr(one.handler, "__module__", None)
                wrong.append(f"{module}: operation {one.name!r}: examples[{number}]: {error}")
    return wrong


def _meant(operation: str | None, operations: list[Operation]) -> str | None:
    """What items are for that name nothing themselves; None where several may be meant."""
    if operation is None and len(operations) == 1:
        return operations[0].name
    return operation


def _look_at_items(file: File, operation: str | None, settings: Settings) -> dict[str, Any]:
    """How many there are, and which are invalid and why."""
    from app.batches.item_keys import ItemReader
    from app.cli.item_files import ItemFile
    from app.core.errors import Invalid
    from app.operations.item_input import WrongInput, check_input
    from handlers import registry

    if operation is not None and operation not in registry:
        raise click.BadParameter(f"there is no operation {operation!r}", param_hint="--operation")
    opened = ItemFile(file, settings)
    items = opened.items()
    first = next(items, None)  # once it is there, a request has said what it is for
    reader = ItemReader(registry, operation or opened.operation)
    total = invalid = 0
    errors: list[dict[str, Any]] = []
    try:
        for row in reader.read(items if first is None else chain([first], items)):
            try:
                check_input(registry, row.operation or operation or opened.operation, row.text)
            except WrongInput as wrong:
                invalid += 1
                if len(errors) < _KEPT:
                    errors.append({"index": total, "message": wrong.message})
            total += 1
    except Invalid as error:
        raise click.UsageError(f"{error.detail} Say --operation.") from None
    return {"total": total, "invalid": invalid, "errors": errors}


def _shown(operation: Operation) -> dict[str, Any]:
    """As `GET /v1/operations` has it."""
    from app.operations.description import describe

    return {"name": operation.name, **describe(operation)}


def _print_operations(operations: list[Operation]) -> None:
    # Most have none.
    breakers = any(one.breaker for one in operations)
    print_table(
        ["OPERATION", "KEY", "QUEUE", "EFFECTS", *["BREAKER"] * breakers, "DESCRIPTION"],
        [
            [
                one.name,
                ":".join(one.key),
                one.queue,
                "in the database" if one.in_database else "elsewhere",
                *[_breaker(one)] * breakers,
                one.description,
            ]
            for one in operations
        ],
    )


def _breaker(operation: Operation) -> str:
    """When it opens, and how long it then rests."""
    breaker = operation.breaker
    if breaker is None:
        return ""
    share = f"{float(breaker.failures):.0%} of {breaker.of} in {breaker.within:g} s"
    return f"{share}, rests {breaker.rest:g} s"


def _print_items(items: dict[str, Any]) -> None:
    for error in items["errors"][:_SHOWN]:
        click.echo(f"item {error['index']}: {error['message']}", err=True)
    if items["invalid"] > _SHOWN:
        click.echo(f"... and {items['invalid'] - _SHOWN:,} more", err=True)
    click.echo(f"{items['total']:,} items, {items['invalid']:,} of them INVALID")
