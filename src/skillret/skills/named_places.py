"""Folders of skills that agents' own settings name, beside their usual places."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skillret.files import parse_json, without_comments
from skillret.skills.checkout import is_file

__all__ = ["NAMING", "OPENCODE_FILES", "NamedPlace", "named_places", "settings_value"]

_MOST = 4 * 1024 * 1024  # bytes of a file; no settings are that long
_MOST_PLACES = 100  # of one agent
_CONFIG = {
    "darwin": "~/Library/Application Support",
    "win32": "~/AppData/Roaming",
}.get(sys.platform, "~/.config")


class _Settings(NamedTuple):
    """Where an agent's settings name folders.

    Attributes:
        files: `~/x` in the home directory, `x` in a folder of the project; a later one counts more.
        keys: What leads to the list, or to an object of folders and whether each counts.
        first: Whether what is named wins over the usual places, or comes after all of them.
    """

    files: tuple[str, ...]
    keys: tuple[str, ...]
    first: bool = False


OPENCODE_FILES = ("opencode.json", "opencode.jsonc")
NAMING = {
    "opencode": _Settings(  # skills.mdx: what is loaded last wins, and these are
        (
            *(f"~/.config/opencode/{name}" for name in OPENCODE_FILES),
            *OPENCODE_FILES,
            *(f".opencode/{name}" for name in OPENCODE_FILES),
        ),
        ("skills", "paths"),
        first=True,
    ),
    "copilot": _Settings(  # VS Code
        (
            f"{_CONFIG}/Code/User/settings.json",
            f"{_CONFIG}/Code - Insiders/User/settings.json",
            ".vscode/settings.json",
        ),
        ("chat.agentSkillsLocations",),
    ),
    "openclaw": _Settings(("~/.openclaw/openclaw.json",), ("skills", "load", "extraDirs")),
    "hermes": _Settings(("~/.hermes/config.yaml",), ("skills", "external_dirs")),
}


class NamedPlace(NamedTuple):
    """A folder that settings name.

    Attributes:
        path: Absolute, links not resolved.
        own: Whether the user's own settings name it, and not a project's.
    """

    path: str
    own: bool


def named_places(
    agent: str, projects: Sequence[str], home: Path, moved: Callable[[str], str]
) -> list[NamedPlace]:
    """The folders that an agent's settings name, in their order, whether they are there or not.

    A relative one is in the folder of the project whose settings name it; one that the user's own
    settings name, in the project's root.

    Args:
        agent: Its name.
        projects: The folders of the project, nearest first.
        home: The home directory.
        moved: Where a place `~/x` is, given the agent's variables.
    """
    settings = NAMING.get(agent)
    if settings is None:
        return []
    named: dict[str, NamedPlace] = {}
    mine: set[str] = set()  # what the user names, a project may name as well
    root = projects[-1] if projects else str(home)
    for file, folder in _files(settings, projects, moved):
        value = settings_value(file, settings.keys)
        own = folder is None
        if isinstance(value, list):
            named.clear()
        for text in _texts(value) if isinstance(value, list | dict) else ():
            if isinstance(value, dict) and value[text] is not True:
                named.pop(text, None)
                continue
            path = _path(text, folder or root, home, own)
            if own:
                mine.add(path)
            named[text] = NamedPlace(path, path in mine)
    return list(named.values())


def _files(
    settings: _Settings, projects: Sequence[str], moved: Callable[[str], str]
) -> Iterator[tuple[Path, str | None]]:
    """An agent's files, what counts less first; of a project's also the folder that has it."""
    for name in settings.files:
        if name.startswith("~/"):
            yield Path(moved(name)), None
        else:
            for folder in reversed(projects):
                yield Path(folder, name), folder


def settings_value(file: Path, keys: Sequence[str]) -> Any:
    """What stands at some keys of a file in JSON, JSON5 or YAML; None if nothing does."""
    try:
        if not is_file(file):
            return None
        with file.open("rb") as opened:
            text = opened.read(_MOST).decode("utf-8-sig", "replace")
    except OSError:
        return None
    if keys[-1] not in text:  # most of them: a search need not load a parser
        return None
    value = _read(text, yaml=file.suffix == ".yaml")
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _read(text: str, *, yaml: bool) -> Any:
    from skillret.skills.frontmatter import BROKEN_YAML, parse_yaml  # seldom needed

    try:
        return parse_yaml(text) if yaml else parse_json(text, mend=True, comments=True)
    except BROKEN_YAML:
        pass
    try:  # keys without quotes (JSON5) are YAML as well
        return parse_yaml(without_comments(text))
    except BROKEN_YAML:
        return None


def _texts(value: Any) -> list[str]:
    """Paths among what settings hold."""
    texts = (text for text in value if isinstance(text, str) and text.strip() and "\0" not in text)
    return [text for text, _ in zip(texts, range(_MOST_PLACES), strict=False)]


def _path(text: str, folder: str, home: Path, own: bool) -> str:
    """The folder that a text in settings means."""
    text = os.path.expandvars(text.strip()) if own else text.strip()
    if text == "~" or text.startswith(("~/", "~\\")):
        text = f"{home}{os.sep}{text[2:]}"
    return os.path.abspath(os.path.join(folder, text))  # noqa: PTH100, PTH118
