"""Pasted stack traces: where a program was, and the line that says what went wrong.

That line stands below the calls (Python) or above them (Java, JavaScript, .NET), not indented as
they are. Who asks for help means it, and it tells best with what; who wants a text translated does
not.
"""

from __future__ import annotations

from collections.abc import Sequence

from skillret.patterns import lazy_pattern

__all__ = ["trace"]

_PYTHON = lazy_pattern(r"\s*(?:Traceback \(|File \")")
_CALL = lazy_pattern(
    r"\s*(?:at (?:async )?(?:[\w.$<>]+ ?\(|<anonymous>|\S+:\d+)|\.{3} \d+ more|Caused by: )"
)
_ERROR = lazy_pattern(r"[\w.$]+(?:: .*)?$")
# Above calls may stand a request as well: here the error has a name as programs write them.
_NAMED_ERROR = lazy_pattern(
    r"(?:Uncaught (?:\(in promise\) )?|Unhandled exception\. |Exception in thread \"[^\"]*\" )?"
    r"(?=[\w.$]*(?:[a-z][A-Z]|\.\w)|\w*(?:Error|Exception)\b)[\w.$]+(?:: .*)?$"
)


def trace(lines: Sequence[str]) -> list[bool]:
    """Which lines are of a stack trace."""
    marked: list[bool] = []
    python = False
    for line in lines:
        above = bool(marked and marked[-1])
        begins = _PYTHON().match(line) is not None
        goes_on = above and bool(line.strip()) and line[:1].isspace()
        if _CALL().match(line) and not above and marked:
            marked[-1] = _NAMED_ERROR().match(lines[len(marked) - 1]) is not None
        ends = above and python and _ERROR().match(line) is not None
        python = begins or (python and goes_on)
        marked.append(begins or goes_on or ends or _CALL().match(line) is not None)
    return marked
