"""Batchline's states in another system's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.core.lifecycle import BATCH_STATUSES, ITEM_STATUSES_SHOWN


class Words(Mapping[str, str]):
    """A word for each state. Made as a table is read: `Words(of, Ready="OPEN PENDING", ...)`."""

    def __init__(self, of: tuple[str, ...], **words: str) -> None:
        """`of`: the states there are. Each of `words` names those it stands for.

        Raises ValueError where a state has no word, or two, so that none can be forgotten.
        """
        self._words = {state: word for word, states in words.items() for state in states.split()}
        named = sorted(state for states in words.values() for state in states.split())
        if named != sorted(of):
            raise ValueError(f"not one word for each of {', '.join(of)}: {words}")

    def __getitem__(self, state: str) -> str:
        return self._words[state]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


def batch_words(**words: str) -> Words:
    """The words of a batch's states: `batch_words(Running="RUNNING PAUSED", ...)`."""
    return Words(BATCH_STATUSES, **words)


def item_words(**words: str) -> Words:
    """The words of an item's states, the derived RUNNING included."""
    return Words(ITEM_STATUSES_SHOWN, **words)
