"""Whether an agent has the plugin, by the agent's own records."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from skillret.agents.install.targets import find_target, folder_of
from skillret.files import parse_json, read_text

__all__ = ["Installed", "installed_plugin"]

_NAME = "skillret"
_MOST_BYTES = 8 << 20
_REMOVE = {
    "claude-code": "claude plugin uninstall {id}",
    "codex": "codex plugin remove {id}",
    "gemini-cli": "gemini extensions uninstall {id}",
}


class Installed(NamedTuple):
    """The plugin in an agent.

    Attributes:
        id: What the agent calls it.
        remove: The agent's own command that takes it out.
    """

    id: str
    remove: str


def installed_plugin(agent: str, home: Path) -> Installed | None:
    """The plugin, if an agent has it and has not turned it off.

    Args:
        agent: The agent's name.
        home: The home directory.
    """
    if agent not in _REMOVE:
        return None
    folder = folder_of(find_target(agent), home)
    found = {"claude-code": _in_claude, "codex": _in_codex, "gemini-cli": _in_gemini}[agent](folder)
    return Installed(found, _REMOVE[agent].format(id=found)) if found else None


def _in_claude(folder: Path) -> str:
    moved = os.environ.get("CLAUDE_CODE_PLUGIN_CACHE_DIR", "").strip()
    plugins = Path(moved).expanduser() if moved else folder / "plugins"
    listed = _mapping(_json(plugins / "installed_plugins.json").get("plugins"))
    enabled = _mapping(_json(folder / "settings.json").get("enabledPlugins"))
    return next((key for key in listed if _is_ours(key) and enabled.get(key) is not False), "")


def _in_codex(folder: Path) -> str:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        plugins = _mapping(tomllib.loads(_text(folder / "config.toml")).get("plugins"))
    except (ValueError, RecursionError):
        return ""
    return next(
        (k for k, v in plugins.items() if _is_ours(k) and _mapping(v).get("enabled") is not False),
        "",
    )


def _in_gemini(folder: Path) -> str:
    manifest = _json(folder / "extensions" / _NAME / "gemini-extension.json")
    return _NAME if manifest.get("name") == _NAME else ""


def _is_ours(key: str) -> bool:
    return key.partition("@")[0] == _NAME


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _json(file: Path) -> dict[str, Any]:
    try:
        return _mapping(parse_json(_text(file)))
    except ValueError:
        return {}


def _text(file: Path) -> str:
    """What a file of settings holds; nothing if it cannot be read."""
    try:
        return read_text(file, _MOST_BYTES)
    except (OSError, ValueError):
        return ""
