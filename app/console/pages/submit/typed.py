"""What somebody typed into the form, and the submission that it asks for.

The form has the API's fields, as text, some under a name of their own: a time without an offset is
UTC, as the form says, and the parts of a ramp are fields of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from app.batches.batch_view import BatchView
from app.batches.submission import Submission
from app.core.errors import FieldError, Invalid
from app.web.envelope import fields_in_query, submission_of

LABELS: Mapping[str, str] = {
    "operation": "Operation",
    "name": "Name",
    "start": "Begin",
    "scheduledAt": "Scheduled at (UTC)",
    "onInvalid": "Where some are invalid",
    "maxFailures": "Stop after more failures than",
    "maxFailurePercent": "Stop above so many % failed",
    "minProcessed": "Once so many are processed",
    "rampSteps": "Ramp: steps",
    "rampHold": "Ramp: after each step",
    "rampMaxFailurePercent": "Ramp: most % failed",
    "approval": "Another key has to approve it",
    "metadata": "Metadata",
    "items": "Items",
}
"""What the form's fields are called on the page, by their names."""
USUAL: Mapping[str, str] = {"start": "now", "onInvalid": "partial", "rampHold": "auto"}
"""What stands in those of which one thing has to be chosen."""
FIELDS = tuple(name for name in LABELS if name != "items")
_ASKED_WITH = tuple(name for name in FIELDS if name not in ("operation", "name", "metadata"))
_RAMP = ("rampSteps", "rampHold", "rampMaxFailurePercent")
_OF_RAMP = {
    "steps": "rampSteps",
    "hold": "rampHold",
    "maxFailurePercent": "rampMaxFailurePercent",
}
# As `datetime-local` sends it.
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_LONGEST_KEPT = 2000

Typed = dict[str, str]


def typed_of(sent: Mapping[str, str]) -> Typed:
    """The fields of the form, each as it was typed; those that were not sent as they usually are.

    For a query, which anybody may have made up: of nonsense no more than some is kept.
    """
    return {name: sent.get(name, USUAL.get(name, "")) for name in FIELDS}


def typed_of_check(batch: BatchView, asked_with: Mapping[str, str]) -> Typed:
    """What was typed for a check: its own name and metadata, and the rest as its address says."""
    kept = {name: asked_with.get(name, "")[:_LONGEST_KEPT] for name in _ASKED_WITH}
    return {
        **typed_of({name: text for name, text in kept.items() if text}),
        "operation": batch.operation or "",
        "name": batch.name or "",
        "metadata": batch.metadata or "",
    }


def address_of(typed: Typed, **more: str) -> str:
    """The query by which a check's page has what was typed but is not the check's own."""
    said = {name: typed[name].strip() for name in _ASKED_WITH}
    pairs = {name: text for name, text in said.items() if text and text != USUAL.get(name)}
    query = urlencode({**pairs, **{name: text for name, text in more.items() if text}})
    return f"?{query}" if query else ""


def submission_asked(typed: Typed) -> Submission:
    """The caller's submission. Raises Invalid with each field at fault, by its name in the form."""
    errors: list[FieldError] = []
    fields: dict[str, Any] = {}
    for name in FIELDS:
        text = typed[name].strip()
        if name in _RAMP or not text:
            continue
        if name == "scheduledAt" and _LOCAL.fullmatch(text):
            text += "Z" if text.count(":") > 1 else ":00Z"
        try:
            fields |= fields_in_query(MultiDict([(name, text)]))
        except Invalid as error:
            errors += error.errors
    try:
        if (ramp := _ramp(typed)) is not None:
            fields["ramp"] = ramp
    except Invalid as error:
        errors += error.errors
    try:
        submission = submission_of(fields)
    except Invalid as error:
        errors += error.errors
    if errors:
        raise Invalid("Some fields are not what they have to be.", errors=errors)
    return submission


def _ramp(typed: Typed) -> dict[str, Any] | None:
    steps = [each for each in re.split(r"[,;\s]+", typed["rampSteps"].strip()) if each]
    percent = typed["rampMaxFailurePercent"].strip()
    if not steps:
        if percent or typed["rampHold"] != USUAL["rampHold"]:
            raise _at("/ramp/steps", "Say how many items each step has, such as 10, 100.")
        return None
    if not all(each.isascii() and each.isdigit() and len(each) <= 10 for each in steps):
        raise _at("/ramp/steps", "Must be whole numbers with commas between, such as 10, 100.")
    ramp: dict[str, Any] = {"steps": [int(each) for each in steps], "hold": typed["rampHold"]}
    if percent:
        try:
            read = fields_in_query(MultiDict([("maxFailurePercent", percent)]))
        except Invalid as error:
            raise _at("/ramp/maxFailurePercent", error.errors[0].message) from error
        ramp["maxFailurePercent"] = read["maxFailurePercent"]
    return ramp


def _at(pointer: str, message: str) -> Invalid:
    return Invalid(message, errors=[FieldError(pointer, message)])


def faults_of(errors: tuple[FieldError, ...]) -> Iterator[tuple[str, str]]:
    """The name of the form's field at fault, and what is wrong with it, for each of the errors.

    The name is empty where it is none of the form's.
    """
    for error in errors:
        first, _, rest = error.pointer.lstrip("/").partition("/")
        if first == "ramp":
            first = _OF_RAMP.get(rest.partition("/")[0], "rampSteps")
        yield first if first in LABELS else "", error.message
