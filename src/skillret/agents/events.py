"""What an agent says when it calls a hook: read with bounds, whatever it calls things."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from skillret.agents.decision import Turn
from skillret.files import parse_json

__all__ = ["Event", "Kind", "read_event"]

# `prompt`: something was asked. `start`: a session begins, or goes on with an empty memory.
# `forget`: it was compacted or cleared. `loaded`: a skill was read. `other`: not for us.
Kind: TypeAlias = Literal["prompt", "start", "forget", "loaded", "other"]

_KINDS: dict[str, Kind] = {
    "userpromptsubmit": "prompt",  # Claude Code, Codex, Kiro, VS Code
    "userpromptsubmitted": "prompt",  # Copilot
    "beforeagent": "prompt",  # Gemini CLI
    "beforesubmitprompt": "prompt",  # Cursor
    "chatmessage": "prompt",  # OpenCode
    "sessionstart": "start",
    "agentspawn": "start",  # Kiro
    "sessioncreated": "start",  # OpenCode
    "precompact": "forget",
    "postcompact": "forget",
    "precompress": "forget",  # Gemini CLI
    "sessioncompacted": "forget",  # OpenCode
    "sessionend": "forget",
    "sessiondeleted": "forget",  # OpenCode
    "posttooluse": "loaded",
    "aftertool": "loaded",  # Gemini CLI
    "toolexecuteafter": "loaded",  # OpenCode
}
_SKILL_TOOLS = ("skill", "activateskill", "useskill")
_EMPTIED = ("compact", "clear")  # sources of a start
_NAMES = ("hook_event_name", "hookEventName", "event", "hookName")
_PROMPTS = ("prompt", "userPrompt", "user_prompt", "text", "initialPrompt")
_SESSIONS = ("session_id", "sessionId", "sessionID", "conversation_id", "conversationId")
_FOLDERS = ("cwd", "directory", "workspace_roots", "workspaceRoots")
_TRANSCRIPTS = ("transcript_path", "transcriptPath")
_TOOLS = ("tool_name", "toolName", "tool")
_INPUTS = ("tool_input", "toolInput", "toolArgs", "args")
_LONGEST_NAME = 200  # characters
_LONGEST_PATH = 1000
_MOST_VALUES = 50  # of a tool's input
_SKILL_FILE = "SKILL.md"
_AROUND = " \t\r\n\"'`;|<>="  # what stands before a path in a command


class Event(NamedTuple):
    """What an agent says.

    Attributes:
        kind: What it means to us.
        name: What the agent calls it; empty if it does not say.
        turn: The prompt, or an empty one, and where it came from.
        skill: Name or path of what was loaded.
        emptied: Whether the session knows no more what it was told before.
        fault: Why its prompt cannot be read; one without a word is none.
    """

    kind: Kind
    name: str
    turn: Turn
    skill: str = ""
    emptied: bool = False
    fault: str = ""


def read_event(data: bytes, agent: str, cwd: Path) -> Event:
    """Read an event.

    Args:
        data: A JSON object; unknown fields do not matter, nor do those of a wrong type.
        agent: The agent's name.
        cwd: Where the hook runs, if the event does not say where the agent does.

    Raises:
        ValueError: If it is no JSON object in UTF-8.
    """
    text = data.decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the event is empty")
    try:
        event = parse_json(text, mend=True)
    except ValueError as e:
        raise ValueError(f"the event is not JSON: {e}") from None
    if not isinstance(event, dict):
        raise ValueError(f"the event is no object but a {type(event).__name__}")
    name = _text(event, _NAMES)[:_LONGEST_NAME]
    prompt = _text(event, _PROMPTS)
    session = _text(event, _SESSIONS)[:_LONGEST_NAME] or None
    transcript = _text(event, _TRANSCRIPTS)
    path = Path(transcript) if _is_path(transcript) else None
    turn = Turn(prompt, agent, _folder(event, cwd), session, path)
    kind = _KINDS.get(_plain(name), "other") if name else _unnamed(event)
    emptied = kind == "forget" or (kind == "start" and event.get("source") in _EMPTIED)
    skill = _loaded(event) if kind == "loaded" else ""
    if kind == "loaded" and not skill:
        kind = "other"
    fault = _fault(event) if kind == "prompt" else ""
    return Event(kind, name, turn, skill, emptied, fault)


def _unnamed(event: Mapping[str, Any]) -> Kind:
    """What an event without a name is: Copilot's are told apart by their fields."""
    if "source" in event:
        return "start"
    if any(key in event for key in _TOOLS):
        return "loaded"
    return "prompt" if any(event.get(key) for key in _PROMPTS) else "other"


def _fault(event: Mapping[str, Any]) -> str:
    """Why there is no prompt in an event of one."""
    given = [key for key in _PROMPTS if event.get(key) is not None]
    if any(isinstance(event[key], str) for key in given):
        return ""
    if not given:
        return f"the event has no {' or '.join(_PROMPTS)}"
    return f"{given[0]} of the event is no text: {type(event[given[0]]).__name__}"


def _plain(name: str) -> str:
    """A name without capitals and punctuation, in which agents differ."""
    return "".join(filter(str.isalnum, name.lower()))


def _text(event: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of some fields that holds a text."""
    return next((event[k] for k in keys if isinstance(event.get(k), str) and event[k]), "")


def _is_path(text: str) -> bool:
    return "\0" not in text and len(text) < 4096 and os.path.isabs(text)  # noqa: PTH117


def _folder(event: Mapping[str, Any], cwd: Path) -> Path:
    """Where the agent works: the first folder named that is there."""
    for key in _FOLDERS:
        given = event.get(key)
        for path in given[:1] if isinstance(given, list) else [given]:
            if isinstance(path, str) and _is_path(path) and os.path.isdir(path):  # noqa: PTH112
                return Path(path)
    return cwd


def _loaded(event: Mapping[str, Any]) -> str:
    """The skill that a tool has loaded, by name, or by the path of a SKILL.md that it has read."""
    given: Any = next((event[k] for k in _INPUTS if isinstance(event.get(k), (dict, str))), {})
    if isinstance(given, str):
        try:
            given = parse_json(given)
        except ValueError:
            given = {"": given}
    if not isinstance(given, dict):
        return ""
    if _plain(_text(event, _TOOLS)) in _SKILL_TOOLS:
        return _text(given, ("skill", "name", "skill_name", "command"))[:_LONGEST_NAME]
    for text in _texts(given):
        if text.endswith(_SKILL_FILE) and _is_path(text):
            return text
        end = text.find(_SKILL_FILE)
        before = text[max(0, end - _LONGEST_PATH) : max(0, end)]
        if before.endswith(("/", "\\")):
            return before[max(map(before.rfind, _AROUND)) + 1 :] + _SKILL_FILE
    return ""


def _texts(given: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a tool's input, those in lists too."""
    for value in list(given.values())[:_MOST_VALUES]:
        for text in value[:_MOST_VALUES] if isinstance(value, list) else [value]:
            if isinstance(text, str):
                yield text
