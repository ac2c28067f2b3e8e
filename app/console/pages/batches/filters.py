"""What of the list is asked for, by its address: read, and written again with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from werkzeug.datastructures import MultiDict

from app.batches.queries import BatchFilter
from app.clients.checks import client_id_of
from app.console.shell.asked import Chip, address, moment_of, text_of
from app.core.lifecycle import BATCH_STATUSES

PATH = "/console/batches"


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the form: text, empty where nothing is said; nonsense is left out."""

    statuses: tuple[str, ...] = ()
    operation: str = ""
    text: str = ""
    created_after: str = ""
    client: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is said."""
        return bool(self._pairs())

    def url(self, **more: str) -> str:
        """The address of the list with these, and `more`."""
        return address(PATH, [*self._pairs(), *more.items()])

    def act(self) -> str:
        """Where a form leads that does something with some of them, and comes back to these."""
        return address(f"{PATH}/act", self._pairs())

    def with_status(self, status: str) -> str:
        """The address with that status too, or without it if it is among them."""
        others = tuple(each for each in self.statuses if each != status)
        chosen = others if status in self.statuses else (*self.statuses, status)
        return replace(self, statuses=chosen).url()

    def chips(self) -> list[Chip]:
        """Those that hold beside the statuses, but for the client, whose name the form shows."""
        said = (
            ("text", self.text, replace(self, text="")),
            ("operation", self.operation, replace(self, operation="")),
            ("after", self.created_after.replace("T", " "), replace(self, created_after="")),
        )
        return [Chip(label, value, others.url()) for label, value, others in said if value]

    def asked(self) -> BatchFilter:
        """The same for the domain."""
        return BatchFilter(
            statuses=list(self.statuses) or None,
            operation=self.operation or None,
            words=self.text or None,
            created_after=moment_of(self.created_after),
        )

    @property
    def client_id(self) -> UUID | None:
        """The client that an admin asks for."""
        return client_id_of(self.client)

    def _pairs(self) -> list[tuple[str, str]]:
        said = [("status", status) for status in self.statuses]
        said += [
            ("operation", self.operation),
            ("text", self.text),
            ("createdAfter", self.created_after),
            ("client", self.client),
        ]
        return [(name, value) for name, value in said if value]


def filters_of(query: MultiDict[str, str]) -> Filters:
    """What the address says. `status` may stand there several times, or hold several."""
    said = [part for each in query.getlist("status") for part in each.split(",")]
    created_after = query.get("createdAfter", "").strip()
    return Filters(
        statuses=tuple(status for status in BATCH_STATUSES if status in said),
        operation=text_of(query, "operation"),
        text=text_of(query, "text"),
        created_after=created_after if moment_of(created_after) else "",
        client=query.get("client", "") if client_id_of(query.get("client", "")) else "",
    )
