"""How the bytes of a text file are to be read: spreadsheets save UTF-16 and older encodings too."""

from __future__ import annotations

import codecs
from pathlib import Path

from skillret.charsets import is_mostly_utf8, legacy_encoding, may_be_older, unmarked
from skillret.errors import DatasetError

__all__ = ["encoding_of", "other_encoding_of"]

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before that of UTF-16, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_TABLES = (".csv", ".tsv", ".txt")  # what a spreadsheet writes; JSON is UTF-8 or has a mark
_BLOCK = 1 << 20
_HEAD = 64  # bytes


def encoding_of(file: Path) -> str:
    """The encoding of a text file: by its mark, its zero bytes, or the bytes of its letters.

    Raises:
        DatasetError: If a table is in none that is known.
        OSError: If it cannot be read.
    """
    return _told(file)[0]


def other_encoding_of(file: Path) -> str:
    """What people call an older encoding that a table may be in as well; empty if none is likely.

    Raises:
        DatasetError: As `encoding_of`.
        OSError: If it cannot be read.
    """
    encoding, foreign = _told(file)
    return may_be_older(foreign, encoding) if foreign is not None else ""


def _told(file: Path) -> tuple[str, bytes | None]:
    """The encoding of a file, and the bytes that tell which one that is not UTF-8."""
    with file.open("rb") as data:
        head = data.read(_HEAD)
        for mark, name in _MARKS.items():
            if head.startswith(mark):
                return name, None
        if utf16 := unmarked(head):
            return utf16, None
        data.seek(0)
        decoder, foreign = codecs.getincrementaldecoder("utf-8")(), None
        while file.suffix.lower() in _TABLES and foreign is None:
            block = data.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as e:
                foreign = e.object
            if not block:
                break
    if foreign is None:
        return "utf-8", None
    encoding = None if is_mostly_utf8(foreign) else legacy_encoding(foreign)
    if encoding is None:
        raise DatasetError(f"{file} is damaged or in no known encoding; save it as UTF-8")
    return encoding, foreign
