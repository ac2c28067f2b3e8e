"""A message without what varies in it, by which failures are told apart.

One table, read from the top: what matches first is taken out. Every form ends where it is known to
end or at the end of the text, none is looked for twice at the same place, and what is looked behind
for is one character: so the time is that of the text's length, whatever stands in it.

Ids of failures are made of the result. To change the table is to change the ids, so that failures
of before and after stand beside one another: what it makes of real messages is held by a test.
"""

from __future__ import annotations

import re
from functools import lru_cache

GAP = "…"
"""What stands in the place of what varies."""
LONGEST = 500
"""Characters of a normal form; a longer one ends with `GAP`, at a space if there is one."""

# What ends a word: space, quotes, brackets and what stands between items of a list.
_ENDS = r"""\s"'`(),;=<>\[\]{}|«»“”\u2018\u2019…"""
_WORD = rf"[^{_ENDS}]"
_BEGINS = rf"(?<![^{_ENDS}])"
# Endings by which a name with points is a host's, and not a module, a field or a file.
_HOSTS = (
    "com org net edu gov int io dev app cloud online site shop store info biz internal intranet "
    "local localdomain lan corp home test example invalid svc cluster eu us uk de fr nl it es pt "
    "ch at be pl cz se dk fi ie nz au ca jp cn kr br mx ar ru tr za sg hk tw"
).replace(" ", "|")
# In a body of JSON, or a dictionary's text, the words of these keys say what went wrong.
_TELLING = "code|error|errors|error_code|errorCode|type|title|reason|message|msg|detail|description"

_TABLE: tuple[tuple[str, str, str], ...] = (
    # name, what it is, how it looks
    (
        "said",
        "the words of a telling key: only what varies in them is taken out",
        rf"""(?<=[{{,\s])"(?:{_TELLING})"\s{{0,3}}:\s{{0,3}}"(?:[^"\\]|\\.)*+\"""",
    ),
    ("key", "a key of JSON: it stays", r"""(?<=[{,\s])"[A-Za-z_][A-Za-z_.-]{0,40}+"(?=:)"""),
    ("double", "a quoted value, or what is left of one; its quotes stay", r'"(?:[^"\\]|\\.)*+"?'),
    ("back", "the same in backquotes", r"`[^`]*+`?"),
    ("angle", "the same in guillemets", r"«[^»]*+»?"),
    ("curly", "the same in curly quotes", r"“[^”]*+”?"),
    ("single_curly", "the same", r"(?<![\w…])\u2018[^\u2019]*+\u2019?"),
    (
        "single",
        "the same in single quotes, in which an apostrophe may stand (that of a word is none)",
        r"(?<![\w…])'(?:[^'\\]|\\.|'(?=\w))*+'?",
    ),
    ("url", "an address", rf"{_BEGINS}[a-z][a-z+.-]{{1,10}}://[^\s\"'`<>(){{}}|]*(?<![.:,!?])"),
    ("mail", "a mail address", rf"{_BEGINS}[^@{_ENDS}]++@{_WORD}*\w"),
    (
        "field",
        "a field within fields: only its numbers are taken out",
        rf"{_BEGINS}[A-Za-z_]+(?:\.[A-Za-z_]+)*+(?:\.\d+(?:\.[A-Za-z_]+)*+)++(?=:\s|$)",
    ),
    (
        "digits",
        "whatever has a digit: numbers, times, addresses, versions, ids, keys",
        rf"{_BEGINS}{_WORD}*\d(?:{_WORD}*\w)?",
    ),
    (
        "host",
        "a host by its name",
        rf"{_BEGINS}(?:[A-Za-z_-]+\.)+(?:{_HOSTS})(?![\w-]|\.\w)|\blocalhost\b",
    ),
)
_VARIES = re.compile("|".join(f"(?P<{name}>{form})" for name, _, form in _TABLE), re.DOTALL)
# Of a list that is longer or shorter each time one stays.
_LISTS = re.compile(r"""((["'`]?)…\2)(?:,\s?\2…\2)+""")
# What is quick to take out, and most often all that varies: what is left is looked up.
_QUICK_QUOTED = re.compile(r'"[^"\\]*+"')
_QUICK_NUMBER = re.compile(r"(?<![A-Z])[A-Z]*+\d\w*")
_KEPT = 4096
_NUMBER = re.compile(r"\d+")
_QUOTED = {
    "double": ('"', '"'),
    "back": ("`", "`"),
    "angle": ("«", "»"),
    "curly": ("“", "”"),
    "single_curly": ("\u2018", "\u2019"),
    "single": ("'", "'"),
}


def normal_form(message: str) -> str:
    """`message` in one line, with `…` for numbers, quoted values, ids and hosts.

    Of what it gives it makes the same again, unless that was cut.
    """
    text = " ".join(message.split())
    if '"' in text and "{" not in text:
        text = _QUICK_QUOTED.sub(f'"{GAP}"', text)
    return _form(_QUICK_NUMBER.sub("0", text))


@lru_cache(_KEPT)
def _form(text: str) -> str:
    form = _LISTS.sub(r"\1", _VARIES.sub(_without, text))
    return form if len(form) <= LONGEST else _cut(form)


def _without(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind in _QUOTED:
        begin, end = _QUOTED[kind]
        return f"{begin}{GAP}{end}"
    if kind == "said":
        key, colon, words = match[0].partition(":")
        start = words.index('"') + 1
        return f"{key}{colon}{words[:start]}{_VARIES.sub(_without, words[start:-1])}{words[-1]}"
    if kind == "digits" and match[0].startswith(":"):
        return f":{GAP}"
    if kind == "field":
        return _NUMBER.sub(GAP, match[0])
    return match[0] if kind == "key" else GAP


def _cut(form: str) -> str:
    head = form[:LONGEST].rpartition(" ")[0]
    return f"{head or form[: LONGEST - 1]} {GAP}"
