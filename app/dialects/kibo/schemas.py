"""What Kibo's requests and answers look like."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.batches.submission import MAX_NAME_LENGTH
from app.dialects.common.batches import whole_number
from app.dialects.kibo.dialect import ITEM, JOB, RESOURCES
from handlers.fields import Reference, Text, Timestamp

DOMAIN = "Catalog"
ACTIONS = ("start", "cancel", "reset")
LONGEST_CODE = 200
PAGE, LARGEST_PAGE = 100, 1000


class JobCode(Reference):
    """A code that can stand in a path."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if "/" in code or code in (".", "..") or not code.isprintable():
            raise ma.ValidationError("Must be able to stand in a path, so without a slash.")
        return code


class _Named(ma.Schema):
    """A name, which may be said as `jobName` or as `name`; loaded as `jobName`."""

    class Meta:
        unknown = ma.RAISE

    jobName = Text(longest=MAX_NAME_LENGTH)
    name = Text(longest=MAX_NAME_LENGTH)

    @ma.post_load
    def _one_name(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if ("jobName" in data) == ("name" in data):
            raise ma.ValidationError("Must be said once, as jobName or as name.", "jobName")
        if "name" in data:
            data["jobName"] = data.pop("name")
        return data


class KiboNewJob(_Named):
    """A job to be made. Its name may be said as `jobName` or as `name`."""

    code = JobCode(required=True, longest=LONGEST_CODE)
    domain = ma.fields.String(required=True, validate=ma.validate.OneOf([DOMAIN]))
    scheduledDate = Timestamp(allow_none=True)
    status = ma.fields.String(
        allow_none=True, validate=ma.validate.OneOf(["Ready"], error="A job begins as Ready.")
    )


class KiboJobChange(_Named):
    """A new name. What else a job shows may be sent with it as it is, but not be changed."""

    code = ma.fields.Raw(allow_none=True)
    domain = ma.fields.Raw(allow_none=True)
    scheduledDate = Timestamp(allow_none=True)
    status = ma.fields.Raw(allow_none=True)
    createDate = Timestamp(allow_none=True)


class KiboAction(ma.Schema):
    """What to do with a job."""

    class Meta:
        unknown = ma.RAISE

    action = ma.fields.String(required=True, validate=ma.validate.OneOf(ACTIONS))


class KiboJob(ma.Schema):
    """A job."""

    code = ma.fields.String(required=True)
    jobName = ma.fields.String(required=True)
    domain = ma.fields.String(required=True, metadata={"enum": [DOMAIN]})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(JOB.values()))})
    scheduledDate = ma.fields.DateTime(required=True, allow_none=True)
    createDate = ma.fields.DateTime(required=True)


class KiboPage(ma.Schema):
    """Which entries of a list."""

    startIndex = whole_number(default=0, low=0, says="The first, from 0.")
    pageSize = whole_number(default=PAGE, low=1, high=LARGEST_PAGE, says="The most of them.")


class KiboJobs(ma.Schema):
    """A page of jobs, the newest first."""

    items = ma.fields.List(ma.fields.Nested(KiboJob), required=True)
    startIndex = ma.fields.Integer(required=True)
    pageSize = ma.fields.Integer(required=True)
    totalCount = ma.fields.Integer(required=True)


class KiboItemsQuery(KiboPage):
    """Which items of a job."""

    processingStatus = ma.fields.String(validate=ma.validate.OneOf(sorted(ITEM.values())))
    resourceType = ma.fields.String(validate=ma.validate.OneOf(sorted(RESOURCES)))


class KiboItem(ma.Schema):
    """An item of a job. `data` is what was sent, with the codes of its path."""

    id = ma.fields.String(required=True)
    resourceType = ma.fields.String(required=True, metadata={"enum": sorted(RESOURCES)})
    processingStatus = ma.fields.String(required=True, metadata={"enum": sorted(ITEM.values())})
    message = ma.fields.String(required=True, allow_none=True)
    data = ma.fields.Dict(required=True)


class KiboItems(ma.Schema):
    """A page of items, in the order in which they were added."""

    items = ma.fields.List(ma.fields.Nested(KiboItem), required=True)
    startIndex = ma.fields.Integer(required=True)
    pageSize = ma.fields.Integer(required=True)
    totalCount = ma.fields.Integer(required=True)


class KiboJobQuery(ma.Schema):
    """Which job takes the item."""

    batchJobCode = ma.fields.String(required=True, metadata={"example": "batch_job_1"})


class KiboAdded(ma.Schema):
    """What was added to a job."""

    batchJobCode = ma.fields.String(required=True)
    added = ma.fields.Integer(required=True)
    totalCount = ma.fields.Integer(required=True, metadata={"description": "Items of the job now."})
