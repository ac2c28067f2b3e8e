"""Networks and patterns of operations, as a key is narrowed by them."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from app.clients.limits import LONGEST_NAME, contains, fits


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("::FFFF:c000:0207", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.3.7", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1%eth0", True),
        ("unix:", False),
        ("", False),
        (None, False),
        ("192.0.2.7, 192.0.2.8", False),
        ("192.0.2.07", False),
        ("3221225991", False),
    ],
)
def test_an_address_lies_in_a_network_or_not(address: str | None, inside: bool) -> None:
    networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    assert contains(networks, address) is inside


@pytest.mark.parametrize(
    ("pattern", "operation", "fitting"),
    [
        ("catalog.*", "catalog.product.add", True),
        ("catalog.*", "catalog.", True),
        ("catalog.*", "catalog", False),
        ("catalog.*", "xcatalog.price", False),
        ("*", "anything.at.all", True),
        ("*", "", True),
        ("catalog.price", "catalog.price", True),
        ("catalog.price", "catalog.prices", False),
        ("catalog.price", "catalogxprice", False),
        ("catalog.*.add", "catalog.product.add", True),
        ("catalog.*.add", "catalog.product.update", False),
        ("a*b*c", "abc", True),
        ("a*b*c", "a1b2b3c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a**b", "ab", True),
        ("catalog.[a-z]*", "catalog.price", False),
        ("catalog.?rice", "catalog.price", False),
        ("catalog.*", "catalog.x\nloyalty.redeem", True),
        ("Catalog.*", "catalog.price", False),
        ("*", "x" * (LONGEST_NAME + 1), False),
    ],
)
def test_a_pattern_fits_an_operation_or_not(pattern: str, operation: str, fitting: bool) -> None:
    assert fits([pattern], operation) is fitting
    assert fits(["no.such", pattern], operation) is fitting


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    for _ in range(1000):
        assert not fits(["*a" * 127 + "b"], "a" * LONGEST_NAME)
    assert time.process_time() - began < 1
