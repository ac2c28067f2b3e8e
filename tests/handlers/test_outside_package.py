"""A package of somebody else's brings its handlers by an entry point, knowing nothing but ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
MODULE = '''
"""Orders, as a company of its own would write it."""

from marshmallow import Schema

from handlers import Context, Item, Outcome, Reject, operation
from handlers.fields import Number, Reference


class OrderSchema(Schema):
    order = Reference(required=True)
    total = Number(required=True, places=2)


@operation("acme.order", schema=OrderSchema, key=("order",), collection="acme_order")
def order(item: Item, context: Context) -> Outcome:
    """Book an order."""
    if item.data["total"] <= 0:
        raise Reject("An order must be worth something")
    context.records.upsert("acme_order", [(item.key, item.data)])
    return Outcome({"booked": item.data["order"]})
'''
LOOK = """
import sys
from handlers.load import load_handlers

registry = load_handlers()
operation = registry.get("acme.order")
print(operation.description, operation.key_of(operation.load({"order": 7, "total": "1.50"})))
# What a handler needs brings none of the servers along.
print(sorted(name for name in ("app", "workers", "flask", "celery") if name in sys.modules))
"""


def installed(folder: Path, *, module: str = MODULE) -> Path:
    """The package as pip would leave it in site-packages."""
    (folder / "acme_batchline").mkdir()
    (folder / "acme_batchline" / "__init__.py").write_text("")
    (folder / "acme_batchline" / "orders.py").write_text(module)
    metadata = folder / "acme_batchline-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-batchline\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(
        dedent("""
        [batchline.handlers]
        orders = acme_batchline.orders
        """)
    )
    return folder


def look(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_its_operation_is_found(tmp_path: Path) -> None:
    found = look(installed(tmp_path))
    assert found.stderr == ""
    assert found.stdout.splitlines() == ["Book an order. 7", "[]"]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nowhere_to_be_found", "nowhere_to_be_found"),
        (MODULE.replace("acme.order", "catalog.price"), "two handlers"),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path: Path, module: str, said: str) -> None:
    found = look(installed(tmp_path, module=module))
    assert found.returncode != 0
    assert said in found.stderr.splitlines()[-1]
