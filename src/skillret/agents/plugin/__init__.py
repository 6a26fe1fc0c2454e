"""The plugin: one folder that Claude Code, Codex and Gemini CLI each install from.

The repository holds these files too, so that one line installs them from there; a test makes sure
that they are what is written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any

from skillret._version import __version__
from skillret.agents.commands import as_string, command
from skillret.agents.install.targets import find_target
from skillret.errors import InputError
from skillret.files import parse_json, read_text, write_text

__all__ = ["NAME", "plugin_files", "write_plugin"]

NAME = "skillret"
_INSIDE = f"plugins/{NAME}"
_MARK = ".claude-plugin/marketplace.json"
_SUMMARY = "Names the installed skills that fit a prompt: offline, and silent if none fits."
_PROGRAM = '["skillret"]'  # in register.js
_MOST_BYTES = 1 << 20  # of our mark in a folder
_ABOUT = {"name": NAME, "version": __version__, "description": _SUMMARY}
_MORE = {
    "author": {"name": NAME},
    "license": "Apache-2.0",
    "keywords": ["skills", "retrieval", "offline"],
}
_OPTIONS = {
    "library_mode": {
        "type": "boolean",
        "title": "Library mode",
        "description": "A short note in place of Claude Code's list of your skills; skillret names"
        " those that fit at each prompt. For libraries too large to be listed.",
        "default": False,
    }
}


def plugin_files(*, absolute: bool = False) -> dict[str, str]:
    """The files, by their paths in the folder.

    Args:
        absolute: Call this very program by its path, instead of `skillret` by its name.
    """
    code = packaged(__name__)
    program = json.dumps(command()) if absolute else _PROGRAM
    entry = {"name": NAME, "source": f"./{_INSIDE}", "description": _SUMMARY}
    documents: dict[str, dict[str, Any]] = {
        # Claude Code's, which Codex reads too.
        _MARK: {
            "name": NAME,
            "owner": {"name": NAME},
            "metadata": {"description": _SUMMARY, "version": __version__},
            "plugins": [entry],
        },
        # Gemini CLI takes the whole folder for one extension.
        "gemini-extension.json": _ABOUT,
        "hooks/hooks.json": _hooks("gemini-cli", absolute=absolute),
        f"{_INSIDE}/.claude-plugin/plugin.json": {**_ABOUT, **_MORE, "userConfig": _OPTIONS},
        f"{_INSIDE}/hooks/hooks.json": {
            "description": "A mod; where mods are off or unknown, the hooks answer in its place.",
            "modules": ["./register.js"],
            **_hooks("claude-code", absolute=absolute),
        },
        f"{_INSIDE}/.codex-plugin/plugin.json": {**_ABOUT, **_MORE, "hooks": "./hooks/codex.json"},
        f"{_INSIDE}/hooks/codex.json": _hooks("codex", absolute=absolute),
    }
    texts = {path: json.dumps(document, indent=2) + "\n" for path, document in documents.items()}
    texts[f"{_INSIDE}/README.md"] = code.joinpath("about.md").read_text("utf-8")
    register = code.joinpath("register.js").read_text("utf-8")
    texts[f"{_INSIDE}/hooks/register.js"] = register.replace(_PROGRAM, program)
    return texts


def _hooks(agent: str, *, absolute: bool) -> dict[str, Any]:
    """What stands in an agent's file of hooks: what `install` writes into its settings."""
    events = {}
    for path, group in find_target(agent).pieces[0].edits():
        hooks = [hook if absolute else _by_name(hook, agent) for hook in group["hooks"]]
        events[path[1]] = [{**group, "hooks": hooks}]
    return {"hooks": events}


def _by_name(hook: Mapping[str, Any], agent: str) -> dict[str, Any]:
    """A hook that calls `skillret`, wherever the PATH leads."""
    words = {key: value for key, value in hook.items() if key != "args"}
    return {**words, "command": as_string([NAME, "hook", agent])}


def write_plugin(folder: Path, *, absolute: bool = False) -> dict[str, str]:
    """Write the files into a folder.

    Args:
        folder: A new or empty one, or one that holds the plugin already: what differs is replaced.
        absolute: As for `plugin_files`.

    Returns:
        By path of each file, whether it was `written` or is `unchanged`.

    Raises:
        InputError: If the folder is no folder, or holds something else.
        OSError: If it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; name one that is new or empty")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise InputError(
            f"{folder} holds something else; name a folder that is new, empty, or holds the plugin"
        )
    done = {}
    for path, text in plugin_files(absolute=absolute).items():
        file = folder / path
        if not file.parent.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{file.parent} leads out of {folder}; remove that link")
        file.parent.mkdir(parents=True, exist_ok=True)
        done[path] = "unchanged" if file.is_file() and _text(file) == text else "written"
        if done[path] == "written":
            write_text(file, text)
    return done


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a marketplace of ours."""
    try:
        marketplace = parse_json(_text(folder / _MARK))
    except ValueError:
        return False
    return isinstance(marketplace, Mapping) and marketplace.get("name") == NAME


def _text(file: Path) -> str:
    try:
        return read_text(file, _MOST_BYTES)
    except (OSError, ValueError):
        return ""
