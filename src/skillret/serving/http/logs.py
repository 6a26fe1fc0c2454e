"""A line for each request, as text or as JSON; of what was asked nothing, unless that is wished."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Literal, TypeAlias

from starlette.requests import HTTPConnection

from skillret.messages import printable

__all__ = ["Format", "configure", "remark", "remarks", "say"]

Format: TypeAlias = Literal["text", "json"]
_KEY = "skillret.remarks"  # in the scope of a request
_LONGEST = 4000  # characters of a text


def remark(conn: HTTPConnection, **fields: Any) -> None:
    """Say something of a request, for its line in the log and for the metrics.

    `empty` is how many of its queries got nothing.
    """
    remarks(conn.scope).update(fields)


def remarks(scope: Any) -> dict[str, Any]:
    """What was said of a request."""
    said: dict[str, Any] = scope.setdefault(_KEY, {})
    return said


def configure(form: Format) -> None:
    """Send the lines of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("skillret").setLevel(logging.INFO)


def say(message: str) -> None:
    """One line for people."""
    logging.getLogger("skillret.serve").info("%s", message)


class _Text(logging.Formatter):
    """`skillret: MESSAGE name=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback of a bug below."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        said = "".join(f" {name}={_text(value)}" for name, value in fields.items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"skillret: {printable(record.getMessage())}{said}{trace}"


class _Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage()[:_LONGEST],
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = printable(value)[:_LONGEST]
        return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text else text
    return str(value)
