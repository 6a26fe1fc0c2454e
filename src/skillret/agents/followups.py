"""The last prompts of a session, from the transcript that its agent keeps.

A transcript may have any size and anything may lie in its place: the end of a regular file in the
home directory or a temporary folder is read, and what is not understood is passed over.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skillret.agents.prompts import passed_over

__all__ = ["last_prompts"]

_TAIL = 1 << 20  # bytes
_LONGEST_LINE = 200_000  # characters; longer ones are what tools gave back
_READ = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY", "O_CLOEXEC"):
    _READ |= getattr(os, _flag, 0)
# An entry begins a line, or is a message of a JSON document as Gemini CLI writes it.
_START = re.compile(r"^(?: {4})?(?=\{)", re.MULTILINE)
_DECODER = json.JSONDecoder()
# Not written by whoever sits before the agent.
_FOREIGN = ("isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly")
_CLEARED = re.compile(r"<command-name>/(?:clear|new|reset)</command-name>")


def last_prompts(transcript: Path, count: int) -> list[str]:
    """What was typed last, oldest first; nothing if the transcript cannot be read.

    Args:
        transcript: Of Claude Code or Codex (JSON lines), or of Gemini CLI (JSON).
        count: How many prompts at most.
    """
    try:
        tail = _tail(transcript)
    except (OSError, ValueError):
        return []
    found: list[str] = []
    for entry in _entries(tail):
        text = _typed(entry)
        if _CLEARED.search(text):
            break
        # Codex notes each prompt twice.
        if text and not passed_over(text) and text not in found[-1:]:
            found.append(text)
        if len(found) == count:
            break
    return found[::-1]


def _tail(file: Path) -> str:
    """The end of a transcript.

    Raises:
        OSError: If it cannot be read, or is a link or no regular file.
        ValueError: If it lies somewhere else.
    """
    real = Path(os.path.realpath(file))
    allowed = [Path(os.path.realpath(p)) for p in (Path.home(), tempfile.gettempdir())]
    if not file.is_absolute() or not any(real.is_relative_to(p) for p in allowed):
        raise ValueError("neither in the home directory nor in a temporary folder")
    if file.is_symlink():  # where the system cannot refuse to open one
        raise ValueError("a link")
    opened = os.open(file, _READ)
    with open(opened, "rb") as data:  # noqa: PTH123 (a descriptor)
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("no regular file")
        data.seek(max(status.st_size - _TAIL, 0))
        return data.read(_TAIL).decode("utf-8", "replace")


def _entries(tail: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a transcript, latest first."""
    met = False
    for start in reversed([match.end() for match in _START.finditer(tail)]):
        end = tail.find("\n", start)
        line = tail[start : end if end >= 0 else None]
        # Most of a transcript is what tools gave back; it takes time to parse.
        if '"user' not in line and len(line.strip()) > 1:
            continue
        if '"tool_result"' in line or len(line) > _LONGEST_LINE:
            continue
        try:
            entry, _ = _DECODER.raw_decode(tail, start)
        except (ValueError, RecursionError):
            continue
        messages = entry.get("messages")
        if not isinstance(messages, list):
            met = True
            yield entry
        elif not met:  # a document on one line
            yield from (m for m in reversed(messages) if isinstance(m, dict))


def _typed(entry: Mapping[str, Any]) -> str:
    """What a person typed, if an entry holds that."""
    kind, payload, message = (entry.get(key) for key in ("type", "payload", "message"))
    if any(entry.get(flag) for flag in _FOREIGN):
        return ""
    if kind == "user":
        inner = message if isinstance(message, dict) else entry  # Claude Code, Gemini CLI
        return _text(inner.get("content"))
    if kind == "event_msg" and isinstance(payload, dict) and payload.get("type") == "user_message":
        return _text(payload.get("message"))
    if kind == "response_item" and isinstance(payload, dict):
        entry = payload
    if entry.get("type") == "message" and entry.get("role") == "user":
        return _text(entry.get("content"))
    return ""


def _text(content: Any) -> str:
    """The text of a message, in one piece or in several."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str)).strip()
