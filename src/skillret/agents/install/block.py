"""Lines of ours in a text file of others: put in once, and taken out without a trace."""

from __future__ import annotations

__all__ = ["insert", "is_in", "remove"]

_BOM = "\ufeff"


def is_in(text: str, lines: str) -> bool:
    """Whether some lines are in a text, whatever ends its lines."""
    return _cut(text, lines) is not None


def insert(text: str, lines: str, *, first: bool = False) -> tuple[str, str]:
    """Put lines at the end of a text, behind an empty line, or at its beginning.

    Args:
        text: A text, perhaps empty.
        lines: Whole lines.
        first: Whether they go to the beginning.

    Returns:
        The new text, and what was put in.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    if first:
        start = len(_BOM) if text.startswith(_BOM) else 0
        added = _ended(lines, newline)
        return text[:start] + added + text[start:], added
    before = "" if not text else newline if text.endswith("\n") else 2 * newline
    added = before + _ended(lines, newline)
    return text + added, added


def remove(text: str, added: str) -> str | None:
    """Take out what `insert` has put in; None if it is not there (any more)."""
    if added in text:
        return text.replace(added, "", 1)
    return _cut(text, added)


def _cut(text: str, lines: str) -> str | None:
    """A text without some lines, but for what stood around them; None if they are not in it."""
    for newline in ("\n", "\r\n"):
        body = _ended(lines.strip("\r\n"), newline)
        for wanted in (body, body.rstrip("\r\n")):  # at the very end, perhaps without an end
            before, found, after = text.partition(wanted)
            if found and (not before or before.endswith(("\n", _BOM))):
                return before + after
    return None


def _ended(lines: str, newline: str) -> str:
    return newline.join([*lines.splitlines(), ""])
