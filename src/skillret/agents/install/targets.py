"""What is written for each agent, and where: one table."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from skillret.agents.commands import as_string, command
from skillret.agents.mcp_clients import NAME, find_client
from skillret.errors import InputError
from skillret.skills.agents import find_agent

__all__ = ["TARGETS", "Edit", "Target", "file_of", "find_target", "folder_of", "is_there"]

_SECONDS = 5  # the hook itself gives up after 2


class Edit(NamedTuple):
    """A value of ours in a file of settings, and where it goes (`jsonc.insert`)."""

    path: tuple[str, ...]
    value: Any


@dataclass(frozen=True, slots=True)
class Target:
    """What one agent is given.

    Attributes:
        agent: Its name in `skillret.skills.agents`.
        folder: Its folder in the home directory.
        file: The file in that folder; empty if there is none that we may write.
        project: The file in a project; empty if there is none.
        programs: Names of its program.
        edits: What goes into the file.
        text: The whole file, if it is ours alone.
        base: What the file holds besides, if we make it.
        remark: What its user should know.
    """

    agent: str
    folder: str
    file: str
    project: str
    programs: tuple[str, ...]
    edits: Callable[[], tuple[Edit, ...]] = tuple
    text: Callable[[], str] | None = None
    base: dict[str, Any] = field(default_factory=dict)
    remark: str = ""

    @property
    def title(self) -> str:
        """The agent's name as its makers write it."""
        return find_agent(self.agent).title


def _hook(agent: str, shell: str = "") -> dict[str, Any]:
    """A command hook; `shell` is who reads the command on Windows."""
    words = command("hook", agent)
    on_windows = sys.platform == "win32"
    return {"command": as_string(words, shell if on_windows else "sh")}


def _claude_code() -> tuple[Edit, ...]:
    hook: dict[str, Any] = {"type": "command", **_hook("claude-code"), "timeout": _SECONDS}
    if sys.platform == "win32":
        # Bash or PowerShell reads a string there. Both take a plain path with slashes; with `args`
        # no shell reads it, but old versions would leave them out.
        program, *arguments = command("hook", "claude-code")
        program = program.replace("\\", "/")
        if as_string([program], "powershell") == program:
            hook["command"] = " ".join([program, *arguments])
        else:
            hook |= {"command": program, "args": arguments}
    return (
        Edit(("hooks", "UserPromptSubmit", "-"), {"hooks": [hook]}),
        # What was named is forgotten, and what was loaded is learnt.
        Edit(("hooks", "SessionStart", "-"), {"matcher": "compact|clear", "hooks": [hook]}),
        Edit(("hooks", "PostToolUse", "-"), {"matcher": "Skill", "hooks": [hook]}),
    )


def _codex() -> tuple[Edit, ...]:
    hook = {"type": "command", **_hook("codex", "cmd"), "timeout": _SECONDS}
    return (
        Edit(("hooks", "UserPromptSubmit", "-"), {"hooks": [hook]}),
        Edit(("hooks", "SessionStart", "-"), {"matcher": "compact|clear", "hooks": [hook]}),
    )


def _gemini_cli() -> tuple[Edit, ...]:
    hook = {"type": "command", "name": "skillret", **_hook("gemini-cli", "powershell")}
    milliseconds = 1000 * _SECONDS
    group = {"hooks": [{**hook, "timeout": milliseconds}]}
    return (Edit(("hooks", "BeforeAgent", "-"), group),)


def _cursor() -> tuple[Edit, ...]:
    hook = {**_hook("cursor", "powershell"), "timeout": _SECONDS}
    return (Edit(("hooks", "beforeSubmitPrompt", "-"), hook),)


def _kiro() -> str:
    action = {"type": "command", **_hook("kiro", "cmd")}
    hook = {"name": "skillret", "trigger": "UserPromptSubmit", "action": action}
    document = {"version": "v1", "hooks": [{**hook, "timeout": _SECONDS}]}
    return json.dumps(document, indent=2) + "\n"


def _opencode() -> str:
    shim = files("skillret.agents.install").joinpath("opencode.js").read_text("utf-8")
    return shim.replace('["skillret", "hook", "opencode"]', json.dumps(command("hook", "opencode")))


def _server(agent: str) -> tuple[Edit, ...]:
    client = find_client(agent)
    return (Edit((client.key, NAME), client.fields(command("mcp"))),)


_NO_CONTEXT = (
    "no hook of it can hand over context at a prompt; it gets the MCP server, which it asks by"
    " itself. A line in AGENTS.md helps: `For a task that a skill may cover, call search_skills.`"
)

TARGETS: tuple[Target, ...] = (
    Target(
        "claude-code",
        ".claude",
        "settings.json",
        ".claude/settings.local.json",
        ("claude",),
        _claude_code,
    ),
    Target(
        "codex",
        ".codex",
        "hooks.json",
        ".codex/hooks.json",
        ("codex",),
        _codex,
        remark="Codex runs a new hook only once you trust it: open /hooks there",
    ),
    Target(
        "gemini-cli",
        ".gemini",
        "settings.json",
        ".gemini/settings.json",
        ("gemini",),
        _gemini_cli,
    ),
    Target(
        "opencode",
        ".config/opencode",
        "plugin/skillret.js",
        ".opencode/plugin/skillret.js",
        ("opencode",),
        text=_opencode,
    ),
    Target(
        "cursor",
        ".cursor",
        "hooks.json",
        ".cursor/hooks.json",
        ("cursor", "cursor-agent"),
        _cursor,
        base={"version": 1},
        remark="Cursor takes context at a prompt since 3.20.17, without documenting it",
    ),
    Target(
        "kiro",
        ".kiro",
        "hooks/skillret.json",
        ".kiro/hooks/skillret.json",
        ("kiro", "kiro-cli"),
        text=_kiro,
    ),
    Target(
        "copilot",
        ".copilot",
        "mcp-config.json",
        "",
        ("copilot",),
        partial(_server, "copilot"),
        remark=_NO_CONTEXT,
    ),
    Target(
        "cline",
        ".cline",
        "data/settings/cline_mcp_settings.json",
        "",
        ("cline",),
        partial(_server, "cline"),
        remark=_NO_CONTEXT,
    ),
    Target(
        "windsurf",
        ".codeium/windsurf",
        "mcp_config.json",
        "",
        ("windsurf",),
        partial(_server, "windsurf"),
        remark=_NO_CONTEXT,
    ),
    Target(
        "goose",
        ".config/goose",
        "",
        "",
        ("goose",),
        remark="no hook of it can hand over context at a prompt, and its settings are YAML, which"
        " is not edited here: run `goose configure`, add a command-line extension, and give it"
        " the command {mcp}",
    ),
)


def find_target(name: str) -> Target:
    """What an agent of some name is given.

    Raises:
        InputError: If there is no such agent, or it is given nothing.
    """
    agent = find_agent(name).name
    target = next((t for t in TARGETS if t.agent == agent), None)
    if target is None:
        known = ", ".join(t.agent for t in TARGETS)
        raise InputError(f"nothing is known to install for {find_agent(name).title}; for: {known}")
    return target


def file_of(target: Target, home: Path, project: Path | None = None) -> Path | None:
    """The file to write, in the home directory or in a project; None if there is none."""
    if project is not None:
        return project / target.project if target.project else None
    return folder_of(target, home) / target.file if target.file else None


def is_there(target: Target, home: Path) -> bool:
    """Whether an agent is installed: its folder or its program is there."""
    return folder_of(target, home).is_dir() or any(map(shutil.which, target.programs))


def folder_of(target: Target, home: Path) -> Path:
    """The agent's folder, perhaps moved by a variable."""
    for variable, folder in find_agent(target.agent).moved_by:
        moved = os.environ.get(variable, "").strip()
        if moved and "\0" not in moved and f"{target.folder}/".startswith(f"{folder}/"):
            below = target.folder[len(folder) :].lstrip("/")
            return Path(os.path.abspath(os.path.expanduser(moved))) / below  # noqa: PTH100, PTH111
    return home / target.folder
