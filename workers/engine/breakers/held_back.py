"""What becomes of an item that may not begin, as a verdict."""

from __future__ import annotations


class HeldBack(Exception):
    """The item has not been begun, or its try does not count: it waits for that breaker."""

    def __init__(self, breaker_id: int) -> None:
        super().__init__(f"waits for breaker {breaker_id}")
        self.breaker_id = breaker_id
