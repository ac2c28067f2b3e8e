"""No path leads away from its base, as URL libraries read it or as a server behind might."""

from __future__ import annotations

import posixpath
import unicodedata
from contextlib import suppress
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.outbound.paths import LONGEST_PATH, below, safe_path

BASE = "https://user:pw@api.example.com:8443/v1/tenant"
PREFIX = "/v1/tenant"


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("", ""),
        ("/", "/"),
        ("orders", "/orders"),
        ("/orders/", "/orders/"),
        ("/orders/a b", "/orders/a%20b"),
        ("/orders/a%20b", "/orders/a%20b"),
        ("/orders/ü", "/orders/%C3%BC"),
        ("/users/me@example.com;v=1", "/users/me@example.com;v=1"),
        ("/a:b", "/a:b"),
        ("/a%2Fb%3Fc", "/a%2Fb%3Fc"),
        ("/...", "/..."),
        ("/.well-known/x.json", "/.well-known/x.json"),
        ("/100%25", "/100%25"),
    ],
)
def test_paths_that_go(path: str, sent: str) -> None:
    assert safe_path(path) == sent
    url = below(BASE, sent, "a=1")
    assert url.raw_path.decode() == f"{PREFIX}{sent}?a=1"
    assert (url.host, url.port) == ("api.example.com", 8443)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "///evil.example",
        "/a//b",
        "http://evil.example/",
        "HTTPS:/evil.example",
        "javascript:x",
        "..",
        "/..",
        "/../x",
        "/a/../../x",
        "/a/.",
        "./x",
        "/%2e%2e/x",
        "/%2E./x",
        "/.%2e",
        "/%252e%252e/x",
        "/%25252e%25252e/x",
        "/%" + "25" * 9 + "2e",
        "/..%2f..%2fx",
        "/x%2f..%2f..%2fy",
        "/..;/admin",
        "/..;a=b/admin",
        "/.. /x",
        "/%c0%ae%c0%ae/x",
        "/．．/x",
        "/%EF%BC%8E%EF%BC%8E/x",
        "/‥/x",
        "\\\\evil.example",
        "/\\evil.example",
        "/a%5c..%5cb",
        "/a\r\nHost: evil.example",
        "/a%0d%0aHost: evil.example",
        "/a\tb",
        "/a%00b",
        "/a\x7f",
        "/\u0085",
        "/a?x=1",
        "/a#x",
        "/%",
        "/%zz",
        "/\ud800",
        "/" + "a" * LONGEST_PATH,
    ],
)
def test_paths_that_do_not(path: str) -> None:
    with pytest.raises(ValueError):
        safe_path(path)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("http://h", "", "http://h/"),
        ("http://h", "/x", "http://h/x"),
        ("http://h/p", "", "http://h/p"),
        ("http://h/p/", "/x", "http://h/p/x"),
        ("http://h", "/@evil.example", "http://h/@evil.example"),
        ("http://[::1]:80/p", "/x", "http://[::1]/p/x"),
    ],
)
def test_joining(base: str, path: str, url: str) -> None:
    assert str(below(base, path, "")) == url


def test_what_would_be_tidied_up_on_its_way_is_refused() -> None:
    for path in ("/../x", "/a b", "/a#b"):
        with pytest.raises(ValueError):
            below(BASE, path, "")


PIECES = st.one_of(
    st.sampled_from(["/", "//", "..", ".", "%2e", "%2E%2e", "%252e", "%2f", "%5c", "\\", "@", ":"]),
    st.sampled_from([";", "?", "#", "%", "http://", "．", "‥", "／", "%c0%ae", "%0d%0a", "\r\n"]),
    st.sampled_from([" ", "evil.example"]),
    st.text(max_size=4),
)


@given(pieces=st.lists(PIECES, max_size=8))
@example(pieces=["/", "..", ";", "/"])
def test_no_path_leads_away(pieces: list[str]) -> None:
    path = "".join(pieces)
    try:
        sent = safe_path(path)
    except ValueError:
        return
    url = below(BASE, sent, "")
    text = str(url)
    # Three libraries agree on where it goes.
    assert (url.scheme, url.host, url.port) == ("https", "api.example.com", 8443)
    assert urlsplit(text)[:2] == urlsplit(BASE)[:2]
    parsed = urllib3.util.parse_url(text)
    assert (parsed.host, parsed.port) == ("api.example.com", 8443)
    target = url.raw_path.decode("ascii")
    assert target == f"{PREFIX}{sent}"
    assert target.isprintable()
    assert " " not in target
    # However often a server decodes, and whatever it drops and tidies up, it stays below.
    for _ in range(8):
        tidy = "/".join(segment.partition(";")[0].strip() for segment in target.split("/"))
        for seen in (target, tidy, target.replace("\\", "/")):
            below_prefix = posixpath.normpath(unicodedata.normalize("NFKC", seen))
            assert f"{below_prefix}/".startswith(f"{PREFIX}/")
        with suppress(UnicodeDecodeError):
            target = unquote_to_bytes(target).decode()
