"""The text of one field as its author meant it: with what YAML cuts off, without its quotes."""

from __future__ import annotations

import re

__all__ = ["behind_quotes", "plain", "uncut", "unparted", "unquoted"]

_BLOCK = re.compile(r"^[|>][-+0-9]{0,2}(?:\s+|$)(?:#.*)?")
_QUOTES = re.compile(r"""\"[^\"]+\"|'[^']+'""")
_TYPOGRAPHIC = "“”„‟‘’‚‛«»‹›「」『』＂＇″′"
_MARKS = ("!", "&")  # begin a tag and an anchor, which are no part of a value
_OTHER_STYLES = tuple("\"'|>[{&!")  # of a value, in which ` #` is text or a comment by intention
_QUOTED = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')[ \t]+(#[^\s#].*)""", re.DOTALL)
_QUOTE_PAIRS = ('""', "''")
_PAIRS = (*_QUOTE_PAIRS, "[]", "{}")
_ANCHOR = re.compile(r"&[A-Za-z][\w-]*\s")  # what nobody would begin a sentence with


def plain(entry: str) -> str:
    """A field's text as it stands: one line, without a block's sign and quotes around it."""
    first, _, rest = entry.strip().partition("\n")
    if rest.strip() and _QUOTES.fullmatch(first):  # what stands below is no part of the quotes
        return f"{first[1:-1]} {' '.join(rest.split())}"
    text = " ".join(_BLOCK.sub("", entry.strip()).split())
    quote = text[:1]
    if quote not in ("'", '"'):
        return text
    inner = text[1:].rstrip(_TYPOGRAPHIC) if text[-1] in _TYPOGRAPHIC else text[1:]
    inner = inner.removesuffix(quote)
    return text if _ends_before(inner, quote) else inner


def unparted(entry: str) -> str:
    """A field without the comma of JSON behind its quotes or brackets; as it is where none is."""
    text = entry.strip()
    inner = text.rstrip(",;").rstrip()
    pair = f"{inner[:1]}{inner[-1:]}"
    if inner == text or len(inner) < 2 or pair not in _PAIRS:
        return entry
    return entry if pair in _QUOTE_PAIRS and _ends_before(inner[1:-1], pair[0]) else inner


def unquoted(text: str) -> str:
    """A line without typographic quotation marks around all of it: to YAML they are letters."""
    if len(text) < 3 or text[0] not in _TYPOGRAPHIC or text[-1] not in f"{_TYPOGRAPHIC}\"'":
        return text
    inner = text[1:-1]
    return text if _ends_before(inner, text[-1]) else inner.strip()


def _ends_before(inner: str, quote: str) -> bool:
    """Whether what stands between two marks is two texts in quotes, as in "Read" and "write".

    A quote before a letter does not end what the first one began.
    """
    first = inner.find(quote)
    return first >= 0 and not inner[first + 1 : first + 2].isalnum()


def uncut(text: str, entry: str) -> str:
    """A text of the front matter with what YAML takes for a comment on its line, or for a tag.

    Args:
        text: As YAML has it.
        entry: As it is written.
    """
    if not text and entry.lstrip(" \t").startswith("#"):
        first = " ".join(entry.split("\n")[0].split())
        return first.lstrip("# ") if first.lstrip("#").startswith(" ") else first.rstrip("# ")
    if entry.lstrip().startswith(_MARKS) and not text.startswith(_MARKS):
        return text if _ANCHOR.match(entry.lstrip()) and text else plain(entry)
    lines = [line for line in entry.split("\n") if not line.lstrip().startswith("# ")]
    whole = " ".join(" ".join(lines).split())
    rest = whole.removeprefix(text).lstrip()
    plain_style = not whole.startswith(_OTHER_STYLES) and whole.startswith(text)
    return whole if plain_style and rest.startswith("#") and rest != "#" else text


def behind_quotes(entry: str) -> str:
    """What stands behind a text in quotes, directly behind a `#`: no comment that was meant."""
    found = _QUOTED.match(entry)
    return found[1].strip() if found else ""
