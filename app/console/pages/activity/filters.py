"""What of the audit is asked for, by its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from werkzeug.datastructures import MultiDict

from app.audit.reading import AuditFilter
from app.clients.checks import client_id_of
from app.console.shell.asked import Chip, address, moment_of, text_of

PATH = "/console/activity"
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the form: text, empty where nothing is said."""

    action: str = ""
    key: str = ""
    batch: str = ""
    created_after: str = ""
    created_before: str = ""
    client: str = ""

    def url(self, **more: str) -> str:
        """The address of the page with these, and `more`."""
        return address(PATH, [*self._pairs(), *more.items()])

    def live(self, **more: str) -> str:
        """The address of what moves on it."""
        return address(f"{PATH}/live", [*self._pairs(), *more.items()])

    def having(self, **changed: str) -> str:
        """The address with some of them changed."""
        return replace(self, **changed).url()

    def chips(self) -> list[Chip]:
        """Those that hold, but for the client, whose name the form shows."""
        said = (
            ("action", "action", self.action),
            ("key", "key", self.key),
            ("batch", "batch", self.batch),
            ("created_after", "after", self.created_after.replace("T", " ")),
            ("created_before", "before", self.created_before.replace("T", " ")),
        )
        return [
            Chip(label, value, self.having(**{name: ""})) for name, label, value in said if value
        ]

    def asked(self, client_id: UUID | None) -> AuditFilter:
        """The same for the domain. `client_id`: whose, None for everybody's."""
        return AuditFilter(
            client_id,
            batch_id=client_id_of(self.batch),
            action=self.action or None,
            key_id=client_id_of(self.key),
            after=moment_of(self.created_after),
            before=moment_of(self.created_before),
        )

    def _pairs(self) -> list[tuple[str, str]]:
        return [
            ("action", self.action),
            ("key", self.key),
            ("batch", self.batch),
            ("createdAfter", self.created_after),
            ("createdBefore", self.created_before),
            ("client", self.client),
        ]


def filters_of(query: MultiDict[str, str]) -> Filters:
    """What the address says."""
    return Filters(
        action=_if(str.isprintable, text_of(query, "action", _LONGEST)),
        key=_if(client_id_of, text_of(query, "key", _LONGEST)),
        batch=_if(client_id_of, text_of(query, "batch", _LONGEST)),
        created_after=_if(moment_of, text_of(query, "createdAfter", _LONGEST)),
        created_before=_if(moment_of, text_of(query, "createdBefore", _LONGEST)),
        client=_if(client_id_of, text_of(query, "client", _LONGEST)),
    )


def _if(makes_sense: Callable[[str], object], text: str) -> str:
    return text if makes_sense(text) else ""
