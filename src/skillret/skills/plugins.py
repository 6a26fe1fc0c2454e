"""Which skills the plugins and extensions of an agent bring: by its own records, never by a guess.

A plugin's cache keeps old versions for weeks, so what lies there says nothing about what is used.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skillret.files import parse_json
from skillret.skills.checkout import is_file, is_folder

__all__ = [
    "PluginFolder",
    "active_version",
    "claude_plugins",
    "claude_settings",
    "codex_disabled",
    "codex_plugins",
    "folders",
    "gemini_disabled",
    "gemini_extensions",
    "is_plugin",
    "opencode_settings",
    "skills_dir_plugins",
]

_OF_HOME = ("~/", f"~{os.sep}")
_MANIFEST = os.path.join(".claude-plugin", "plugin.json")  # noqa: PTH118
_MOST = 8 * 1024 * 1024  # bytes of a settings file


class PluginFolder(NamedTuple):
    """A folder of a plugin with skills, or one that is left out.

    Attributes:
        path: The folder.
        namespace: What stands before a colon in the names of its skills; may be empty.
        problem: Why it is left out.
    """

    path: Path
    namespace: str
    problem: str | None = None


def claude_settings(files: Sequence[Path]) -> dict[str, Any]:
    """What some settings files of Claude Code say together.

    Args:
        files: A later one counts more. Of objects such as `enabledPlugins` the entries add up.
    """
    merged: dict[str, Any] = {}
    for file in files:
        for key, value in (_json(file) or {}).items():
            old = merged.get(key)
            if isinstance(old, dict) and isinstance(value, dict):
                value = {**old, **value}
            merged[key] = value
    return merged


def claude_plugins(
    plugins: Path, settings: Sequence[Path], projects: Sequence[Path]
) -> Iterator[PluginFolder]:
    """What `installed_plugins.json` lists and no `enabledPlugins` turns off.

    Args:
        plugins: The folder of `installed_plugins.json`.
        settings: The settings files, see `claude_settings`.
        projects: The folders of the project, nearest first.
    """
    record = plugins / "installed_plugins.json"
    if not is_file(record):
        return
    listed = _json(record)
    if listed is None:
        yield PluginFolder(record, "", "cannot be read as JSON, so no plugin counts")
        return
    enabled = _mapping(claude_settings(settings).get("enabledPlugins"))
    for key, entries in _mapping(listed.get("plugins")).items():
        name, _, marketplace = key.rpartition("@")
        name = name or key
        entry = _installed(entries, projects)
        if entry is None:
            continue  # for another project
        folder = _plugin_folder(plugins, name, marketplace, entry)
        if folder is None:
            lost = str(entry.get("installPath") or plugins / "cache" / marketplace / name)
            yield PluginFolder(Path(lost), name, f"the plugin {key} is installed, and not there")
            continue
        manifest = _json(folder / _MANIFEST) or {}
        if enabled.get(key, manifest.get("defaultEnabled", True)) is False:
            yield PluginFolder(folder, name, f"the plugin {key} is disabled in Claude Code")
            continue
        exact = _of_marketplace(plugins, marketplace, name)
        yield from _skill_folders(folder, name, manifest.get("skills"), exact)


def is_plugin(folder: str) -> bool:
    """Whether a folder is a plugin of Claude Code."""
    return os.path.isfile(os.path.join(folder, _MANIFEST))  # noqa: PTH113, PTH118


def skills_dir_plugins(found: Sequence[str], settings: Sequence[Path]) -> Iterator[PluginFolder]:
    """The folders of skills of plugins that lie among Claude Code's skills, and need no install.

    A SKILL.md of such a folder itself is a skill like others.

    Args:
        found: The plugins' folders.
        settings: See `claude_settings`.
    """
    enabled = _mapping(claude_settings(settings).get("enabledPlugins"))
    for folder in map(Path, found):
        manifest = _json(folder / _MANIFEST) or {}
        key = f"{folder.name}@skills-dir"
        off = enabled.get(key, manifest.get("defaultEnabled", True)) is False
        for place in _skill_folders(folder, folder.name, manifest.get("skills")):
            if place.path == folder:
                continue
            problem = f"the plugin {key} is disabled in Claude Code" if off else place.problem
            yield place._replace(problem=problem)


def _installed(entries: Any, projects: Sequence[Path]) -> dict[str, Any] | None:
    """The entry that counts here: of this project before the user's own; none of other projects."""
    listed = [e for e in (entries if isinstance(entries, list) else [entries]) if _mapping(e)]
    here = {str(folder) for folder in projects}
    mine = [e for e in listed if _real(e.get("projectPath")) in here]
    everywhere = [e for e in listed if not e.get("projectPath")]
    return next(iter(mine + everywhere), None)


def _plugin_folder(
    plugins: Path, name: str, marketplace: str, entry: dict[str, Any]
) -> Path | None:
    """Where a plugin lies: as recorded, else its newest version."""
    recorded = entry.get("installPath")
    if isinstance(recorded, str) and recorded and "\0" not in recorded:
        path = Path(recorded)
        if path.is_absolute() and is_folder(path):
            return path
    base = plugins / "cache" / marketplace / name
    versions = folders(base)
    version = str(entry.get("version"))
    if version not in versions:
        version = active_version(base, versions) or ""
    return base / version if version else None


def _of_marketplace(plugins: Path, marketplace: str, name: str) -> Any:
    """The exact list of skills that a marketplace gives for a plugin that is its own folder."""
    known = _mapping((_json(plugins / "known_marketplaces.json") or {}).get(marketplace))
    place = known.get("installLocation")
    folder = Path(place) if isinstance(place, str) else plugins / "marketplaces" / marketplace
    entries = (_json(folder / ".claude-plugin" / "marketplace.json") or {}).get("plugins")
    for entry in entries if isinstance(entries, list) else ():
        if _mapping(entry).get("name") == name and entry.get("source") in ("./", "."):
            return entry.get("skills")
    return None


def _skill_folders(
    plugin: Path, namespace: str, added: Any, exact: Any = None
) -> Iterator[PluginFolder]:
    """The folders in which a plugin's skills lie; none outside of the plugin."""
    named = exact if exact is not None else added
    names = [n for n in (named if isinstance(named, list) else [named]) if isinstance(n, str)]
    if exact is None:
        names.insert(0, "skills")
    real = plugin.resolve()
    seen: set[Path] = set()
    for name in names:
        path = plugin / name if "\0" not in name else plugin
        if not is_folder(path) or path.resolve() in seen:
            continue
        seen.add(path.resolve())
        inside = path.resolve().is_relative_to(real)
        problem = None if inside else f"the plugin {namespace} names a folder outside of itself"
        yield PluginFolder(path, namespace, problem)
    if not seen and any(is_file(plugin / name) for name in ("SKILL.md", "skill.md")):
        yield PluginFolder(plugin, namespace)


def codex_plugins(home: Path) -> Iterator[PluginFolder]:
    """The plugins that `config.toml` turns on, each in its active version.

    Args:
        home: Codex's folder.
    """
    for key, entry in _mapping(_codex_config(home).get("plugins")).items():
        name, _, marketplace = key.rpartition("@")
        base = home / "plugins" / "cache" / marketplace / name
        version = active_version(base, folders(base)) if name else None
        if version is None:
            continue
        folder = base / version
        if _mapping(entry).get("enabled", True) is False:
            yield PluginFolder(folder, name, f"the plugin {key} is disabled in Codex")
            continue
        manifest = next(
            (
                found
                for place in (".codex-plugin", ".claude-plugin", "")
                if (found := _json(folder / place / "plugin.json"))
            ),
            {},
        )
        yield from _skill_folders(folder, str(manifest.get("name") or name), manifest.get("skills"))


def codex_disabled(home: Path, user: Path) -> list[str]:
    """Names of skills, and absolute paths of their files, that `config.toml` turns off.

    Args:
        home: Codex's folder, where a relative path starts.
        user: The home directory, for which `~` stands.
    """
    entries = _mapping(_codex_config(home).get("skills")).get("config")
    off = [_mapping(e) for e in (entries if isinstance(entries, list) else ())]
    off = [e for e in off if e.get("enabled") is False]
    names = [name for e in off if isinstance(name := e.get("name"), str)]
    paths = [path for e in off if isinstance(path := e.get("path"), str) and path]
    return names + [str(home / (user / p[2:] if p[:2] in _OF_HOME else p)) for p in paths]


def _codex_config(home: Path) -> dict[str, Any]:
    text = _text(home / "config.toml") or ""
    if "plugins" not in text and "skills" not in text:
        return {}  # most of them: a search need not load a parser
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return _mapping(tomllib.loads(text))
    except (ValueError, RecursionError):
        return {}


def codex_bundled(home: Path) -> bool:
    """Whether Codex's own skills are turned on.

    Args:
        home: Codex's folder.
    """
    bundled = _mapping(_mapping(_codex_config(home).get("skills")).get("bundled"))
    return bundled.get("enabled", True) is not False


def gemini_extensions(folder: Path, cwd: Path) -> Iterator[PluginFolder]:
    """The skills of Gemini CLI's extensions.

    Args:
        folder: Where they are installed.
        cwd: Where it is used: an extension may be turned off in some folders.
    """
    rules = _json(folder / "extension-enablement.json") or {}
    for name in sorted(folders(folder)):
        if is_file(folder / name / "gemini-extension.json"):
            off = not _enabled(_mapping(rules.get(name)).get("overrides"), cwd)
            for found in _skill_folders(folder / name, "", None):
                problem = f"the extension {name} is disabled in Gemini CLI" if off else None
                yield found._replace(problem=problem or found.problem)


def _enabled(overrides: Any, cwd: Path) -> bool:
    """What the last of Gemini CLI's rules says that a folder fits: `/x/*`, or `!/x/*` for not."""
    enabled = True
    for rule in overrides if isinstance(overrides, list) else ():
        if isinstance(rule, str):
            pattern = rule.removeprefix("!").rstrip("/*")
            if f"{cwd}/".startswith(f"{pattern}/"):
                enabled = not rule.startswith("!")
    return enabled


def goose_plugins(folder: Path) -> Iterator[PluginFolder]:
    """The skills of the plugins that Goose and others share.

    Args:
        folder: Where they are.
    """
    for name in sorted(folders(folder)):
        yield from _skill_folders(folder / name, "", None)


def gemini_disabled(folders: Sequence[Path]) -> list[str]:
    """Names of skills that Gemini CLI's settings turn off.

    Args:
        folders: Its folders of settings.
    """
    found = []
    for folder in folders:
        settings = _json(folder / "settings.json", comments=True) or {}
        skills = _mapping(settings.get("skills"))
        off = skills.get("disabled")
        found += [n for n in (off if isinstance(off, list) else ()) if isinstance(n, str)]
    return found


def opencode_settings(file: Path) -> dict[str, Any]:
    """What one settings file of OpenCode says; nothing if it cannot be read."""
    return _json(file, comments=True) or {}


def active_version(folder: Path, versions: Sequence[str]) -> str | None:
    """Which of several versions of a plugin counts: the recorded one, `local`, or the newest.

    Args:
        folder: Of the plugin, in a cache: `plugins/cache/MARKETPLACE/PLUGIN`.
        versions: The names of the folders in it.
    """
    if len(versions) < 2:
        return versions[0] if versions else None
    record = _json(folder.parents[2] / "installed_plugins.json") or {}
    entries = _mapping(record.get("plugins")).get(f"{folder.name}@{folder.parent.name}")
    for entry in entries if isinstance(entries, list) else [entries]:
        recorded = os.path.basename(str(_mapping(entry).get("installPath", "")))  # noqa: PTH119
        if recorded in versions:
            return recorded
    if "local" in versions:
        return "local"
    return max(versions, key=lambda version: _age(folder, version))


def _age(folder: Path, version: str) -> tuple[list[int], bool, float]:
    """Of versions the highest, a release after its candidates; of other names the youngest."""
    numbers = re.fullmatch(r"v?(\d+(?:\.\d+)*)([-+].*)?", version)
    try:
        made = (folder / version).stat().st_mtime
    except OSError:
        made = 0.0
    if numbers is None:
        return [], True, made
    return [int(n[:9]) for n in numbers[1].split(".")], not numbers[2], made


def folders(path: Path) -> list[str]:
    """The names of the folders in one, hidden ones left out; none if it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return [e.name for e in entries if e.name[0] != "." and e.is_dir()]
    except OSError:
        return []


def _real(path: Any) -> str:
    """A recorded path with links resolved; empty if it is none."""
    return os.path.realpath(path) if isinstance(path, str) and path and "\0" not in path else ""


def _text(file: Path) -> str | None:
    try:
        if not is_file(file):
            return None
        with file.open("rb") as opened:
            return opened.read(_MOST).decode("utf-8-sig", "replace")
    except OSError:
        return None


def _json(file: Path, *, comments: bool = False) -> dict[str, Any] | None:
    """The object in a file, perhaps with comments; None if there is no such file, or no object."""
    text = _text(file)
    if text is None:
        return None
    try:
        data = parse_json(text, mend=True, comments=comments)
    except (ValueError, json.JSONDecodeError):
        return None
    return data if isinstance(data, dict) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
