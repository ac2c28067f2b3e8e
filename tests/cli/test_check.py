"""`batchline check`: modules of handlers, and items for them, looked at without any server."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

BATCHLINE = str(Path(sys.executable).with_name("batchline"))
SHOP = """
    from marshmallow import Schema, fields
    from batchline import Outcome, operation
    from batchline.fields import Number, Reference


    class PriceSchema(Schema):
        sku = Reference(required=True)
        price = Number(required=True, places=2)
        tags = fields.List(fields.String())


    @operation("shop.price", schema=PriceSchema, key=("sku",))
    def set_price(item, context):
        '''Set a price.'''
        return Outcome()
    """
MORE = """
    @operation("shop.stock", schema=PriceSchema, key=("sku",), in_database=False, queue="slow")
    def set_stock(item, context):
        '''Set a stock.'''
        return Outcome()
    """
WRONG = """
    @operation("shop.a", schema=PriceSchema, key=("skuu",), queue="quick")
    def a(item, context):
        return Outcome()

    @operation("shop.b", schema=PriceSchema, key=("tags",))
    def b(item):
        return Outcome()

    @operation("shop.c", schema=PriceSchema, bulkk=True)
    def c(item, context):
        return Outcome()

    @operation("shop.d", schema=PriceSchema, examples=({"sku": "A1", "price": "free"},))
    def d(item, context):
        return Outcome()

    @operation("catalog.price", schema=PriceSchema)
    def e(item, context):
        return Outcome()
    """

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run it in a folder that has the module `shop_ops`, made of these sources."""

    def run(
        *args: str, sources: tuple[str, ...] = (SHOP,), **files: bytes
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "shop_ops.py").write_text("".join(map(dedent, sources)))
        for name, content in files.items():
            (tmp_path / name.replace("_", ".")).write_bytes(content)
        return subprocess.run(
            [BATCHLINE, "check", *args],
            cwd=tmp_path,
            env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_operations_that_can_work_are_listed(check: Check) -> None:
    done = check("shop_ops", sources=(SHOP, MORE))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["OPERATION", "KEY", "QUEUE", "EFFECTS", "DESCRIPTION"],
        ["shop.price", "sku", "fast", "in", "the", "database", "Set", "a", "price."],
        ["shop.stock", "sku", "slow", "elsewhere", "Set", "a", "stock."],
    ]
    shown = json.loads(check("shop_ops", "--json", sources=(SHOP, MORE)).stdout)
    assert [one["name"] for one in shown["operations"]] == ["shop.price", "shop.stock"]
    assert shown["operations"][0]["schema"]["required"] == ["price", "sku"]
    assert (shown["wrong"], shown["items"]) == ([], None)


def test_everything_that_is_wrong_is_named_with_module_operation_and_field(check: Check) -> None:
    done = check("shop_ops", sources=(SHOP, WRONG))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "shop_ops: operation 'shop.a': queue must be 'fast' or 'slow', not 'quick'; "
        "key has 'skuu', which is no field of PriceSchema",
        "shop_ops: operation 'shop.b': its handler cannot be called with an item and a context; "
        "it must be a `def` that takes (item, context); "
        "key has 'tags', a field of List, which can be no part of a key: it must be text, or a "
        "whole or exact number",
        "shop_ops: operation 'shop.c': there is no option bulkk (perhaps bulk is meant)",
        "shop_ops: operation 'catalog.price': two handlers are registered for it, the other by "
        "handlers.shipped.catalog.handler: one of them wants another name",
        "shop_ops: operation 'shop.d': examples[0]: price: Must be a number.",
    ]
    assert "shop.price" in done.stdout


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "handlers module 'shop_ops': No module named 'no_such_module' ("),
        ("import sys; sys.exit(3)", "handlers module 'shop_ops': it exits when it is imported"),
        ("x = 1", "shop_ops: no operation is registered"),
    ],
)
def test_a_module_without_operations_is_named(check: Check, source: str, said: str) -> None:
    done = check("shop_ops", sources=(source,))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


ITEMS = [{"sku": 7, "price": "1.50"}, {"sku": "A", "price": 1.234}, {"sku": "B"}, 5]
SAID = [
    "item 1: price: Must have at most 2 decimal places.",
    "item 2: price: Missing data for required field.",
    "item 3: Must be an object.",
]
ROWS = b"sku,price\n7,1.50\nA,1.234\nB,\n"
ARRAY = json.dumps(ITEMS).encode()
LINES = "\n".join(map(json.dumps, ITEMS)).encode()


@pytest.mark.parametrize(
    ("name", "content", "total"),
    [
        ("items_json", ARRAY, 4),
        ("items_ndjson", LINES, 4),
        ("items_jsonl", LINES, 4),
        ("items_csv", ROWS, 3),
        ("items_csv_gz", gzip.compress(ROWS, mtime=0), 3),
    ],
)
def test_items_are_validated_by_the_file_s_ending(
    check: Check, name: str, content: bytes, total: int
) -> None:
    done = check("shop_ops", "--items", name.replace("_", "."), **{name: content})
    assert done.returncode == 1
    assert done.stderr.splitlines() == SAID[: total - 1]
    assert done.stdout.splitlines()[-1] == f"{total} items, {total - 1} of them INVALID"


def test_valid_items_are_no_error_and_a_format_may_be_said(check: Check) -> None:
    good = ROWS[:17]
    done = check("shop_ops", "--items", "items.txt", "--format", "csv", items_txt=good)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "1 items, 0 of them INVALID"


def test_the_operation_is_said_where_there_are_several(check: Check) -> None:
    unsaid = check("shop_ops", "--items", "items.json", sources=(SHOP, MORE), items_json=ARRAY)
    assert unsaid.returncode == 2
    assert "Item 0 names no operation" in unsaid.stderr
    assert "--operation" in unsaid.stderr
    for more, request in (
        (["--operation", "shop.stock"], ARRAY),
        ([], json.dumps({"items": ITEMS, "name": "a", "operation": "shop.stock"}).encode()),
    ):
        said = check(
            *("shop_ops", "--items", "items.json", *more), sources=(SHOP, MORE), items_json=request
        )
        assert said.stderr.splitlines() == SAID
    own = [{"operation": "shop.none", "data": {}}, {"operation": "shop.price", "data": ITEMS[0]}]
    mixed = check(
        *("shop_ops", "--items", "items.json", "--json"),
        sources=(SHOP, MORE),
        items_json=json.dumps(own).encode(),
    )
    errors = [{"index": 0, "message": "Unknown operation 'shop.none'."}]
    assert json.loads(mixed.stdout)["items"] == {"total": 2, "invalid": 1, "errors": errors}
    unknown = check("shop_ops", "--items", "a.csv", "--operation", "shop.x", a_csv=ROWS)
    assert "there is no operation 'shop.x'" in unknown.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("items_csv", b"sku,price\n1,2,3\n", "items.csv: Line 2: Has a value beyond the 2 columns"),
        ("items_ndjson", b"{\n", "items.ndjson: Line 1: Not JSON"),
        ("items_json", b'{"name": "x"}', "items.json: Neither an array of items nor a request"),
        ("items_csv_gz", b"no gzip", "items.csv.gz: cannot be read: "),
        ("items_xls", b"", "items.xls: say --format, as its name ends in none of"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_a_line(
    check: Check, name: str, content: bytes, said: str
) -> None:
    done = check("shop_ops", "--items", name.replace("_", "."), **{name: content})
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {said}")
    assert "Traceback" not in done.stderr


def test_a_hundred_bad_items_are_counted_and_twenty_of_them_shown(check: Check) -> None:
    done = check("shop_ops", "--items", "a.csv", a_csv=b"sku,price\n" + b"A,x\n" * 100)
    assert len(done.stderr.splitlines()) == 21
    assert done.stderr.splitlines()[-1] == "... and 80 more"
    assert done.stdout.splitlines()[-1] == "100 items, 100 of them INVALID"
