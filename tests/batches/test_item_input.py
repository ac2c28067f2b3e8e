"""What is said of an item that its schema does not take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from marshmallow import Schema

from app.operations.item_input import WrongInput, read_input
from handlers import Operation
from handlers.fields import WholeNumber


class _Schema(Schema):
    count = WholeNumber(required=True)


def _said(item: Any) -> str:
    operation = Operation(name="tests.counted", handler=lambda *_: None, schema=_Schema)
    with pytest.raises(WrongInput) as wrong:
        read_input(operation, json.dumps(item))
    return wrong.value.message


def test_each_field_at_fault_is_named() -> None:
    said = _said({"count": "x", "other": 1})
    assert said.startswith("count: ")
    assert said.endswith("; other: Unknown field.")


def test_of_very_many_faults_the_first_are_told() -> None:
    said = _said({f"f{number}": 1 for number in range(20_000)})
    assert said.startswith("count: Missing data for required field.; f")
    assert len(said) == 10_001
    assert said.endswith("…")
