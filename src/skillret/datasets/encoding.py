"""How the bytes of a text file are to be read: spreadsheets save UTF-16 and Windows-1252 too."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from skillret.errors import DatasetError

__all__ = ["LEGACY", "encoding_of"]

LEGACY = "cp1252"  # Windows-1252, which a byte-wise look tells from UTF-8 but not from its likes

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_TABLES = (".csv", ".tsv", ".txt")  # what a spreadsheet writes; JSON is UTF-8 or has a mark
_BLOCK = 1 << 20
_LETTERS = re.compile(rb"[\x80-\xff]+")


def encoding_of(file: Path) -> str:
    """The encoding of a text file: by its mark, its zero bytes, or as UTF-8 or Windows-1252.

    Raises:
        DatasetError: If a table is none of these.
        OSError: If it cannot be read.
    """
    with file.open("rb") as data:
        head = data.read(4)
        for mark, name in _MARKS.items():
            if head.startswith(mark):
                return name
        if b"\0" in head[:2]:
            return "utf-16-be" if head[0] == 0 else "utf-16-le"
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
        return "utf-8"
    # One letter of a word has an accent; of Cyrillic or Chinese words all letters are such bytes.
    runs = _LETTERS.findall(foreign)
    long = sum(len(run) > 1 for run in runs)
    try:
        foreign.decode(LEGACY)
    except UnicodeDecodeError:
        long = len(runs)
    if 2 * long > len(runs):
        raise DatasetError(f"{file} is neither UTF-8 nor UTF-16 nor Windows-1252; save it as UTF-8")
    return LEGACY
