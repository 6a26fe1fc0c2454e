"""Where each agent keeps its skills, which one wins, and how it is called: one table."""

from __future__ import annotations

import sys
from collections.abc import Container
from typing import NamedTuple

from skillret.errors import InputError

__all__ = ["AGENTS", "Agent", "find_agent"]

_MANAGED = {
    "darwin": "/Library/Application Support/ClaudeCode",
    "win32": r"C:\Program Files\ClaudeCode",
}.get(sys.platform, "/etc/claude-code")


class Agent(NamedTuple):
    """What is known of one agent.

    Attributes:
        name: As it is given on the command line.
        title: As its makers write it.
        places: Scope and folder, what wins first: `~/x` in the home directory, `/x` of the system,
            `x` in the project. A `plugin` or `extension` names the folder that holds them, and
            `synced` one with a folder for each account.
        parents: Whether the folders above the current one count too, up to the repository's root.
        depth: Folders below a place in which it looks; None if it looks as deep as we do.
        invoked_by: The skill's `name`, or that of its `folder`; `both` must be the same.
        shadows: Whether a name that is taken hides the skills that come later.
        moved_by: Variables, and the folder of the home directory that each takes the place of.
        sign: What its user types before the name of a skill, to start it.
    """

    name: str
    title: str
    places: tuple[tuple[str, str], ...]
    parents: bool = True
    depth: int | None = None
    invoked_by: str = "name"
    shadows: bool = True
    moved_by: tuple[tuple[str, str], ...] = ()
    sign: str = "/"


def _simple(
    name: str,
    title: str,
    user: tuple[str, ...],
    project: tuple[str, ...],
    *,
    user_first: bool = False,
    parents: bool = True,
    depth: int | None = None,
    invoked_by: str = "name",
    moved_by: tuple[tuple[str, str], ...] = (),
    extensions: str | None = None,
) -> Agent:
    """An agent with places of the user and of the project, and perhaps extensions."""
    scopes = [
        tuple(("project", place) for place in project),
        tuple(("user", f"~/{place}") for place in user),
    ]
    places = sum(reversed(scopes) if user_first else scopes, ())
    if extensions is not None:
        places += (("extension", f"~/{extensions}"),)
    return Agent(name, title, places, parents, depth, invoked_by, True, moved_by)


_XDG = ("XDG_CONFIG_HOME", ".config")
_SHARED = ".agents/skills"
_CLAUDE = ".claude/skills"

# Of these no more is known than `npx skills` knows: name, title, and the folder whose `skills` it
# takes, in the home directory and in projects.
_ALIKE = (
    ("adal", "AdaL", "adal"),
    ("aider-desk", "AiderDesk", "aider-desk"),
    ("augment", "Augment", "augment"),
    ("autohand-code", "Autohand Code", "autohand"),
    ("bob", "IBM Bob", "bob"),
    ("codearts", "CodeArts Agent", "codeartsdoer"),
    ("codebuddy", "CodeBuddy", "codebuddy"),
    ("command-code", "Command Code", "commandcode"),
    ("continue", "Continue", "continue"),
    ("forgecode", "ForgeCode", "forge"),
    ("iflow", "iFlow CLI", "iflow"),
    ("jazz", "Jazz", "jazz"),
    ("junie", "Junie", "junie"),
    ("kode", "Kode", "kode"),
    ("lingma", "Lingma", "lingma"),
    ("mcpjam", "MCPJam", "mcpjam"),
    ("minimax-code", "MiniMax Code", "minimax"),
    ("mistral-vibe", "Mistral Vibe", "vibe"),
    ("mux", "Mux", "mux"),
    ("neovate", "Neovate", "neovate"),
    ("ona", "Ona", "ona"),
    ("openhands", "OpenHands", "openhands"),
    ("pochi", "Pochi", "pochi"),
    ("posit-assistant", "Posit Assistant", "posit/assistant"),
    ("qoder", "Qoder", "qoder"),
    ("rovodev", "Rovo Dev", "rovodev"),
    ("tabnine-cli", "Tabnine CLI", "tabnine/agent"),
    ("trae", "Trae", "trae"),
    ("zcode", "ZCode", "zcode"),
    ("zencoder", "Zencoder", "zencoder"),
)

AGENTS: tuple[Agent, ...] = (
    Agent(
        "claude-code",
        "Claude Code",
        (
            ("enterprise", f"{_MANAGED}/.claude/skills"),
            ("user", "~/.claude/skills"),
            ("project", _CLAUDE),
            ("plugin", "~/.claude/plugins"),
            ("synced", "~/.claude/skills/synced"),
        ),
        depth=1,
        invoked_by="folder",
        moved_by=(
            ("CLAUDE_CODE_PLUGIN_CACHE_DIR", ".claude/plugins"),
            ("CLAUDE_CONFIG_DIR", ".claude"),
        ),
    ),
    Agent(
        "codex",
        "Codex",
        (
            ("project", _SHARED),
            ("project", ".codex/skills"),
            ("user", f"~/{_SHARED}"),
            ("user", "~/.codex/skills"),
            ("plugin", "~/.codex/plugins"),
            ("bundled", "~/.codex/skills/.system"),
            ("admin", "/etc/codex/skills"),
        ),
        depth=6,
        shadows=False,
        moved_by=(("CODEX_HOME", ".codex"),),
        sign="$",
    ),
    _simple(
        "gemini-cli",
        "Gemini CLI",
        (_SHARED, ".gemini/skills"),
        (_SHARED, ".gemini/skills"),
        parents=False,
        depth=1,
        extensions=".gemini/extensions",
    ),
    _simple(
        "antigravity",
        "Antigravity",
        (
            ".gemini/antigravity-cli/skills",
            ".gemini/antigravity/skills",
            ".gemini/config/skills",
        ),
        (_SHARED,),
    ),
    _simple(
        "cursor",
        "Cursor",
        (".cursor/skills", _SHARED, _CLAUDE, ".codex/skills"),
        (".cursor/skills", _SHARED, _CLAUDE, ".codex/skills"),
    ),
    _simple(
        "copilot",
        "GitHub Copilot",
        (".copilot/skills", _SHARED),
        (".github/skills", _CLAUDE, _SHARED),
        moved_by=(("COPILOT_HOME", ".copilot"), _XDG),
    ),
    _simple(
        "opencode",
        "OpenCode",
        (".config/opencode/skills", ".config/opencode/skill", _CLAUDE, _SHARED),
        (".opencode/skills", ".opencode/skill", _CLAUDE, _SHARED),
        moved_by=(_XDG,),
    ),
    _simple(
        "goose",
        "Goose",
        (_SHARED, _CLAUDE, ".config/goose/skills"),
        (_SHARED, ".goose/skills", _CLAUDE),
        parents=False,
        moved_by=(_XDG,),
        extensions=".agents/plugins",
    ),
    _simple(
        "cline",
        "Cline",
        (".cline/skills", _SHARED),
        (".cline/skills", ".clinerules/skills", _CLAUDE, _SHARED),
        user_first=True,
        depth=1,
        invoked_by="both",
    ),
    _simple(
        "openclaw",
        "OpenClaw",
        (".openclaw/workspace/skills", _SHARED, ".openclaw/skills"),
        ("skills", _SHARED),
        parents=False,
        depth=6,
    ),
    _simple("hermes", "Hermes", (".hermes/skills",), (), moved_by=(("HERMES_HOME", ".hermes"),)),
    _simple("amp", "Amp", (".config/agents/skills",), (_SHARED,), moved_by=(_XDG,)),
    _simple("windsurf", "Windsurf", (".codeium/windsurf/skills",), (".windsurf/skills",)),
    _simple("roo", "Roo Code", (".roo/skills",), (".roo/skills",)),
    _simple("kiro", "Kiro", (".kiro/skills",), (".kiro/skills",)),
    _simple("droid", "Droid", (".factory/skills", _SHARED), (".factory/skills", _SHARED)),
    _simple("pi", "Pi", (".pi/agent/skills",), (".pi/skills",)),
    _simple("qwen-code", "Qwen Code", (".qwen/skills",), (".qwen/skills",)),
    _simple(
        "grok",
        "Grok Build",
        (".grok/skills",),
        (".grok/skills",),
        moved_by=(("GROK_HOME", ".grok"),),
    ),
    _simple(
        "deepagents",
        "Deep Agents",
        (".deepagents/agent/skills",),
        (".deepagents/skills", _SHARED),
    ),
    _simple("openskills", "openskills", (".agent/skills", _CLAUDE), (".agent/skills", _CLAUDE)),
    _simple("cortex", "Cortex Code", (".snowflake/cortex/skills",), (".cortex/skills",)),
    _simple("crush", "Crush", (".config/crush/skills",), (".crush/skills",), moved_by=(_XDG,)),
    _simple("devin", "Devin", (".config/devin/skills",), (".devin/skills",), moved_by=(_XDG,)),
    _simple(
        "kilo",
        "Kilo Code",
        (".kilo/skills", ".kilocode/skills"),
        (".kilo/skills", ".kilocode/skills", _SHARED),
    ),
    *(
        _simple(name, title, (f".{folder}/skills",), (f".{folder}/skills",))
        for name, title, folder in _ALIKE
    ),
)

_BY_NAME = {agent.name: agent for agent in AGENTS}
_OTHER_NAMES = {
    "claude": "claude-code",
    "gemini": "gemini-cli",
    "agy": "antigravity",
    "antigravity-cli": "antigravity",
    "github-copilot": "copilot",
    "copilot-cli": "copilot",
    "vscode": "copilot",
    "hermes-agent": "hermes",
    "kiro-cli": "kiro",
    "qwen": "qwen-code",
    "roo-code": "roo",
}


def find_agent(name: str, listed: str = "places", known: Container[str] | None = None) -> Agent:
    """The agent of a name; capitals, spaces and a few usual names do not matter.

    Args:
        name: What is given for it.
        listed: The command whose `--help` lists those that count.
        known: Their names; all of the table if None.

    Raises:
        InputError: If there is none in the table.
    """
    plain = "-".join(name.lower().replace("_", " ").split())
    agent = _BY_NAME.get(_OTHER_NAMES.get(plain, plain))
    if agent is None:
        from difflib import get_close_matches

        names = {**{name: name for name in _BY_NAME}, **_OTHER_NAMES}
        count = [near for near, of in names.items() if known is None or of in known]
        likely = get_close_matches(plain, count, 1)
        hint = "".join(f"did you mean {near}? " for near in likely)
        raise InputError(
            f"unknown agent {name[:60]!r}; {hint}`skillret {listed} --help` lists them"
        )
    return agent
