"""What is written for each agent, and where: one table."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from skillret.agents.commands import as_string, command
from skillret.agents.install.changes import Change, Edit
from skillret.agents.mcp_clients import NAME, Client, find_client
from skillret.errors import InputError
from skillret.skills.agents import find_agent

__all__ = [
    "LINES",
    "TARGETS",
    "Piece",
    "Target",
    "changes_of",
    "find_target",
    "folder_of",
    "is_there",
    "server_edits",
]

_SECONDS = 10  # the hook itself gives up after 2; a busy machine takes long to start it


@dataclass(frozen=True, slots=True)
class Piece:
    """What goes into one file of an agent; one of `edits`, `text` and `lines`.

    Attributes:
        file: The file in the agent's folder; empty if there is none that we may write.
        project: The file in a project; empty if there is none.
        owner: Begins the name of its owner, before the agent's.
        edits: What goes into its JSON.
        base: What its JSON holds besides, if we make it.
        text: The whole file, if it is ours alone.
        lines: What goes into its text.
        off: The value in its JSON with which the agent runs no hook.
    """

    file: str
    project: str = ""
    owner: str = ""
    edits: Callable[[], tuple[Edit, ...]] = tuple
    base: dict[str, Any] = field(default_factory=dict)
    text: Callable[[], str] | None = None
    lines: str = ""
    off: Edit | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What one agent is given.

    Attributes:
        agent: Its name in `skillret.skills.agents`.
        folder: Its folder in the home directory.
        programs: Names of its program.
        pieces: What goes into its files.
        remark: What its user should know.
        at_home: What they should know besides, unless it is in a project.
        in_project: What the user of a project should know besides.
        by_hand: What its user has to do.
    """

    agent: str
    folder: str
    programs: tuple[str, ...]
    pieces: tuple[Piece, ...]
    remark: str = ""
    at_home: str = ""
    in_project: str = ""
    by_hand: str = ""

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
    group = {"hooks": [{**hook, "timeout": 1000 * _SECONDS}]}  # milliseconds
    return (
        Edit(("hooks", "BeforeAgent", "-"), group),
        # What was named is forgotten, and what was loaded is learnt.
        Edit(("hooks", "SessionStart", "-"), {"matcher": "clear", **group}),
        Edit(("hooks", "PreCompress", "-"), group),
        Edit(("hooks", "AfterTool", "-"), {"matcher": "activate_skill", **group}),
    )


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


def _copilot() -> str:
    hook = {
        "type": "command",
        "bash": as_string(command("hook", "copilot"), "sh"),
        "powershell": as_string(command("hook", "copilot"), "powershell"),
        "timeoutSec": _SECONDS,
    }
    return json.dumps({"version": 1, "hooks": {"sessionStart": [hook]}}, indent=2) + "\n"


def server_edits(client: Client, words: Sequence[str], url: str | None = None) -> tuple[Edit, ...]:
    """What tells a client of the MCP server, in its own file.

    Args:
        client: The client.
        words: Program and arguments.
        url: Of a server that runs already, instead.
    """
    return (Edit((client.key, NAME), client.fields(words, url)),)


def _server(agent: str) -> tuple[Edit, ...]:
    return server_edits(find_client(agent), command("mcp"))


LINES = """\
<!-- skillret (`skillret uninstall` takes these lines out) -->
If there is a tool `search_skills`, call it with the user's request before a task that a skill may
cover. If a skill fits, read it with `read_skill` and work by it.
<!-- /skillret -->
"""
_NO_CONTEXT = "no hook of it can hand over context at a prompt"
_BY_MCP = "it gets the MCP server, and a line that tells it to search"
_LINE_ALONE = (
    "a project gets only a line that tells it to search: `skillret {how} the MCP server that it"
    " needs, unless it is there"
)

TARGETS: tuple[Target, ...] = (
    Target(
        "claude-code",
        ".claude",
        ("claude",),
        (
            Piece(
                "settings.json",
                ".claude/settings.local.json",
                edits=_claude_code,
                off=Edit(("disableAllHooks",), True),
            ),
        ),
    ),
    Target(
        "codex",
        ".codex",
        ("codex",),
        (Piece("hooks.json", ".codex/hooks.json", edits=_codex),),
        remark="Codex runs a new hook only once you trust it: open /hooks there",
        in_project="it reads this file only in a project that you trust",
    ),
    Target(
        "gemini-cli",
        ".gemini",
        ("gemini",),
        (
            Piece(
                "settings.json",
                ".gemini/settings.json",
                edits=_gemini_cli,
                off=Edit(("hooksConfig", "enabled"), False),
            ),
        ),
        in_project="Gemini CLI reads this file only in a folder that you trust",
    ),
    Target(
        "opencode",
        ".config/opencode",
        ("opencode",),
        (Piece("plugin/skillret.js", ".opencode/plugin/skillret.js", text=_opencode),),
    ),
    # Its `sessionStart` and `preCompact` would help where the prompt's hook hands nothing over, but
    # versions that do not know an event refuse the whole file.
    Target(
        "cursor",
        ".cursor",
        ("cursor", "cursor-agent"),
        (Piece("hooks.json", ".cursor/hooks.json", edits=_cursor, base={"version": 1}),),
        remark="Cursor takes context at a prompt since 3.20.17, without documenting it",
    ),
    Target(
        "kiro",
        ".kiro",
        ("kiro", "kiro-cli"),
        (Piece("hooks/skillret.json", ".kiro/hooks/skillret.json", text=_kiro),),
    ),
    Target(
        "copilot",
        ".copilot",
        ("copilot",),
        (
            Piece("mcp-config.json", owner="mcp ", edits=partial(_server, "copilot")),
            # Of a session that begins with a prompt, such as `copilot -p`.
            Piece("hooks/skillret.json", text=_copilot),
            Piece("copilot-instructions.md", "AGENTS.md", lines=LINES),
        ),
        remark=_NO_CONTEXT,
        at_home=_BY_MCP,
        in_project=_LINE_ALONE.format(how="mcp install --client copilot` writes"),
    ),
    Target(
        "cline",
        ".cline",
        ("cline",),
        (
            Piece(
                "data/settings/cline_mcp_settings.json",
                owner="mcp ",
                edits=partial(_server, "cline"),
            ),
            # Its user's own rules are files in the documents folder, which may be anywhere.
            Piece("", "AGENTS.md", lines=LINES),
        ),
        remark=_NO_CONTEXT,
        at_home=f"{_BY_MCP}: that with `--project`, in AGENTS.md",
        in_project=_LINE_ALONE.format(how="mcp install --client cline` writes"),
    ),
    Target(
        "windsurf",
        ".codeium/windsurf",
        ("windsurf",),
        (
            Piece("mcp_config.json", owner="mcp ", edits=partial(_server, "windsurf")),
            Piece("memories/global_rules.md", "AGENTS.md", lines=LINES),
        ),
        remark=_NO_CONTEXT,
        at_home=_BY_MCP,
        in_project=_LINE_ALONE.format(how="mcp install --client windsurf` writes"),
    ),
    Target(
        "goose",
        ".config/goose",
        ("goose",),
        (Piece(".goosehints", "AGENTS.md", lines=LINES),),
        in_project=_LINE_ALONE.format(how="install goose` says how to add"),
        by_hand="its settings are YAML, which is not edited here: run `goose configure`, add a"
        " command-line extension, and give it the command {mcp}",
    ),
)


def find_target(name: str) -> Target:
    """What an agent of some name is given.

    Raises:
        InputError: If there is no such agent, or it is given nothing.
    """
    agent = find_agent(name, "install", {t.agent for t in TARGETS})
    target = next((t for t in TARGETS if t.agent == agent.name), None)
    if target is None:
        raise InputError(
            f"nothing is known to install for {agent.title}; `skillret install --help` lists the"
            " agents that it is for"
        )
    return target


def changes_of(target: Target, home: Path, project: Path | None = None) -> list[Change]:
    """What goes into the files in the home directory, or in a project."""
    folder, changes = folder_of(target, home), []
    for piece in target.pieces:
        name = piece.file if project is None else piece.project
        if not name:
            continue
        file = (project or folder) / name
        changes.append(
            Change(
                piece.owner + target.agent,
                f"{target.title}, MCP" if piece.owner else target.title,
                file,
                project or (home if file.is_relative_to(home) else folder),
                piece.edits(),
                piece.base,
                None if piece.text is None else piece.text(),
                piece.lines,
                program="" if piece.lines else command()[0],
                options=bool(piece.owner),  # `mcp install` knows some
                off=piece.off,
            )
        )
    remarks = (target.remark, target.in_project if project else target.at_home)
    if changes:
        changes[0] = changes[0]._replace(remark="; ".join(filter(None, remarks)))
    return changes


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
