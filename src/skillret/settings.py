"""Settings: what `skillret.toml` of the user and of the project say, and the environment.

A project's file is written by whoever wrote the repository, and is read as soon as someone searches
there. So it may hide skills and name folders inside the project, but never name a model, which is
loaded and perhaps downloaded, nor a folder elsewhere, nor have the user's queries logged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from skillret.errors import InputError, SkillretError
from skillret.files import expand, project_folders, read_start
from skillret.messages import meant

__all__ = [
    "FILE",
    "FINDINGS",
    "KEYS",
    "MODES",
    "Dismissal",
    "Eagerness",
    "Settings",
    "load_settings",
    "user_file",
]

FILE = "skillret.toml"
# How sure a skill must be to be named at a prompt that nobody searches for.
Eagerness: TypeAlias = Literal["quiet", "normal", "eager"]
MODES: tuple[Eagerness, ...] = get_args(Eagerness)
# Kinds of findings of `skillret doctor`, in the order in which it tells them.
FINDINGS = (
    "attack-download",
    "attack-exfiltration",
    "attack-instructions",
    "attack-hidden",
    "attack-invisible",
    "suspect",
    "listing",
    "listing-entry",
    "shadowed",
    "no-name",
    "left-out",
    "user-only",
    "plugin",
    "copy",
    "overlap",
    "own-tests",
    "own-description",
    "needless",
    "tests",
    "specification",
    "provenance-gone",
    "provenance",
)
_MAX_BYTES = 16 * 1024  # a key of 60,000 dots would keep the TOML reader busy for a minute
_MAX_ITEMS = 1000  # of a list
_SHOWN = 60  # characters of a value in a message
_LONGEST = 200  # characters of a path in a message
_ATTACK = "attack"  # how findings begin that whoever wrote a project must not dismiss
_DISMISSAL = '{finding = "overlap", skill = "pdf-*", reason = "..."}'


class Dismissal(NamedTuple):
    """A finding of `skillret doctor` that need not be told again.

    Attributes:
        finding: Its kind, such as `overlap`.
        skill: Name of the skill, or a glob pattern of names; all without one.
        reason: Why.
    """

    finding: str
    skill: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set; without a file and a variable, nothing is.

    Attributes:
        roots: Folders with skills, besides the usual places; absolute, perhaps missing.
        hide: Names of skills, or glob patterns of names, that are left out of the usual places.
        agents: Only the places of these agents count; all if empty.
        threshold: Probability of need below which a selection is empty, from 0 to 1.
        limit: How many skills are shown or selected at most.
        model: A model folder or name, as in `load_encoder`.
        dismiss: Findings of `skillret doctor` that have been judged.
        log_queries: Whether hooks of agents log what was asked; else they log only what was named.
        mode: How sure a skill must be to be named at a prompt; one of `MODES`.
        origins: By key, the files and variables that its value comes from.
        files: The files that were looked for, whether they are there or not; an earlier one counts
            more.
        remarks: What was left out, and why.
    """

    roots: tuple[Path, ...] = ()
    hide: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    threshold: float | None = None
    limit: int | None = None
    model: str | None = None
    dismiss: tuple[Dismissal, ...] = ()
    log_queries: bool = False
    mode: Eagerness = "normal"
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False, hash=False)
    files: tuple[Path, ...] = field(default=(), compare=False)
    remarks: tuple[str, ...] = field(default=(), compare=False)

    @contextmanager
    def blamed(self, key: str, *kinds: type[SkillretError]) -> Iterator[None]:
        """Where a value proves to be wrong, the error says what file or variable it comes from.

        Args:
            key: Whose value is used meanwhile.
            kinds: Which errors are due to it.
        """
        try:
            yield
        except kinds as e:
            origins = self.origins.get(key, ())
            if not origins:
                raise
            raise type(e)(f"{' and '.join(origins)}: {key}: {e}") from None


KEYS = tuple(f.name for f in fields(Settings) if f.name not in ("origins", "files", "remarks"))


def load_settings(cwd: Path | None = None, home: Path | None = None) -> Settings:
    """The settings that hold in a folder: variables over the project's file over the user's.

    Lists of both files add up, the project's first (`agents` does not: the nearest file says which
    count); a variable `SKILLRET_KEY` takes the place of both.

    Args:
        cwd: The folder, the current one if None. The project's file is the nearest one from here up
            to the folder with `.git`, or the one here.
        home: The home directory, for tests; the user's own if None.

    Raises:
        InputError: If a file cannot be read or is no TOML, or a key or value is none that there is.
    """
    here = _here(cwd)
    folders = project_folders(here) if here else []
    user = user_file(home)
    found = next((f / FILE for f in folders if os.path.lexists(f / FILE)), None)
    if found is not None and user is not None and _same(found, user):
        found = None
    own = found or (folders[-1] / FILE if folders else None)
    files = tuple(file for file in (own, user) if file is not None)
    remarks: list[str] = []
    layers: list[tuple[str, dict[str, Any]]] = [_environment(here)]
    if found is not None:
        layers.append((str(found), _of_project(found, folders[-1], _read(found), remarks)))
    if user is not None and os.path.lexists(user):
        layers.append((str(user), _rooted(_read(user), user)))
    values, origins = _merged(layers)
    missing = [str(r) for r in values.get("roots", ()) if not os.path.isdir(r)]  # noqa: PTH112
    if missing:
        remarks.append(f"{' and '.join(origins['roots'])}: roots: no such folder: {_few(missing)}")
    return Settings(**values, origins=origins, files=files, remarks=tuple(remarks))


def _merged(
    layers: list[tuple[str, dict[str, Any]]],
) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """The values of all layers, the first of which counts most, and where each comes from."""
    (_, environment), *files = layers
    values: dict[str, Any] = {}
    origins: dict[str, tuple[str, ...]] = {}
    for key in KEYS:
        given = [(name, values_[key]) for name, values_ in files if key in values_]
        if key in environment:
            given = [(_variable(key), environment[key])]
        if not given:
            continue
        if key not in ("roots", "hide", "dismiss"):
            given = given[:1]
        values[key] = given[0][1]
        if len(given) > 1:
            values[key] = tuple(dict.fromkeys(item for _, items in given for item in items))
        origins[key] = tuple(name for name, _ in given)
    return values, origins


def _here(cwd: Path | None) -> Path | None:
    """The current folder, if it still exists."""
    try:
        return (cwd or Path.cwd()).resolve()
    except (OSError, RuntimeError):
        return None


def user_file(home: Path | None = None) -> Path | None:
    """The user's own file; None where there is no home."""
    if home is not None:
        return home / ".config" / "skillret" / FILE
    import platformdirs

    folder = platformdirs.user_config_path("skillret", appauthor=False)
    return folder / FILE if folder.is_absolute() else None


def _same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except OSError:
        return False


def _read(file: Path) -> dict[str, Any]:
    """What a file sets, each value checked."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    text = _text(file)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{file}: no TOML that can be read: nested too deeply") from None
    except ValueError as e:
        raise InputError(f"{file}: not valid TOML: {e}") from None
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in KEYS:
            raise InputError(f"{file}: {_unknown('key', key, KEYS)}")
        values[key] = _checked(f"{file}: {key}", key, value)
    return values


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    """That there is no such thing, and what was meant, or what there is."""
    return f"unknown {what} {name[:_SHOWN]!r}{meant(name, known) or '; known: ' + ', '.join(known)}"


def _text(file: Path) -> str:
    """The text of a file that may be anything: a pipe, a folder, an endless device."""
    try:
        data = read_start(file, _MAX_BYTES + 1)
    except OSError as e:
        raise InputError(f"cannot read {file}: {e.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{file} is larger than {_MAX_BYTES // 1024} kB, which no settings are")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"{file} is not UTF-8 (byte {e.start}); save it as UTF-8") from None


def _rooted(values: dict[str, Any], file: Path) -> dict[str, Any]:
    """The values, with roots below the folder of the file that names them."""
    try:
        named = [file.parent / expand(root) for root in values.get("roots", ())]
    except InputError as e:
        raise InputError(f"{file}: roots: {e}") from None
    roots = [Path(os.path.abspath(root)) for root in named]  # noqa: PTH100
    model = values.get("model")
    if model is not None and model.startswith("."):  # as for the command line, a path
        values = {**values, "model": os.path.abspath(file.parent / model)}  # noqa: PTH100
    return {**values, "roots": tuple(roots)} if "roots" in values else values


def _of_project(
    file: Path, project: Path, values: dict[str, Any], remarks: list[str]
) -> dict[str, Any]:
    """What a project's file may say; the rest is remarked on."""
    for key, remedy in (("model", ", or --model"), ("log_queries", "")):
        if values.pop(key, None) is not None:
            remarks.append(
                f"{file}: {key} is not taken from a project's file; use your own {FILE}{remedy}"
            )
    if "dismiss" in values:
        kept = tuple(d for d in values["dismiss"] if not d.finding.startswith(_ATTACK))
        if len(kept) < len(values["dismiss"]):
            remarks.append(
                f"{file}: dismiss: what looks like an attack is not dismissed by a project's file;"
                f" use your own {FILE}"
            )
        values["dismiss"] = kept
    if "roots" in values:
        rooted = _rooted({"roots": values.pop("roots")}, file)["roots"]
        inside = tuple(root for root in rooted if _is_inside(root, project))
        outside = [str(root) for root in rooted if root not in inside]
        if inside:
            values["roots"] = inside
        if outside:
            remarks.append(
                f"{file}: roots: outside the project {project}, so not taken from its file:"
                f" {_few(outside)}; use your own {FILE}, or --library"
            )
    return values


def _few(names: list[str]) -> str:
    """The first of some names: whoever wrote a file must not fill the screen with them."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:_LONGEST] for name in names[:3]) + more


def _is_inside(root: Path, project: Path) -> bool:
    """Whether a folder lies in the project, wherever links lead."""
    try:
        return root.resolve().is_relative_to(project)
    except (OSError, RuntimeError):
        return False


def _variable(key: str) -> str:
    return f"SKILLRET_{key.upper()}"


def _environment(here: Path | None) -> tuple[str, dict[str, Any]]:
    """What variables set; an empty one counts as unset."""
    values: dict[str, Any] = {}
    for key in KEYS:
        if key == "dismiss":  # which needs reasons
            continue
        name = _variable(key)
        text = os.environ.get(name, "").strip()
        if not text:
            continue
        value: Any = text
        if key in ("threshold", "limit"):
            try:
                value = float(text) if key == "threshold" else int(text)
            except ValueError:
                value = text
        elif key == "log_queries":
            value = _TRUTHS.get(text.lower(), text)
        elif key not in ("model", "mode"):
            between = os.pathsep if key == "roots" else ","
            value = [item.strip() for item in text.split(between) if item.strip()]
        values[key] = _checked(name, key, value)
    if "roots" in values:
        try:
            roots = [expand(root) for root in values["roots"]]
        except InputError as e:
            raise InputError(f"{_variable('roots')}: {e}") from None
        values["roots"] = tuple((here / r if here else r) for r in roots)
    return "environment", values


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_ITEMS and all(map(_is_name, value))


def _is_dismissals(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MAX_ITEMS
        and all(
            isinstance(item, dict)
            and {"finding", "reason"} <= set(item) <= set(Dismissal._fields)
            and all(map(_is_name, item.values()))
            for item in value
        )
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MAX_ITEMS


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_mode(value: Any) -> bool:
    return isinstance(value, str) and value in MODES


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_LIST = f"a list of at most {_MAX_ITEMS} texts that are not empty, such as"
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "roots": (_is_list, f'{_LIST} ["~/team/skills"]'),
    "hide": (_is_list, f'{_LIST} ["subtitles", "draft-*"]'),
    "agents": (_is_list, f'{_LIST} ["claude-code"]'),
    "threshold": (_is_number, "a number from 0 to 1"),
    "limit": (_is_count, f"a whole number from 1 to {_MAX_ITEMS}"),
    "model": (_is_name, "a model folder or name"),
    "dismiss": (_is_dismissals, f"a list of tables such as {_DISMISSAL}, skill left out or not"),
    "log_queries": (_is_truth, "true or false"),
    "mode": (_is_mode, "quiet, normal or eager: how sure a skill must be to be named at a prompt"),
}


def _checked(where: str, key: str, value: Any) -> Any:
    """A value of the right type."""
    check, allowed = _CHECKS[key]
    if not check(value):
        raise InputError(f"{where} is {_shown(value)}; allowed: {allowed}")
    if key == "dismiss":
        for item in value:
            if item["finding"] not in FINDINGS:
                raise InputError(f"{where}: {_unknown('finding', item['finding'], FINDINGS)}")
        return tuple(Dismissal(d["finding"], d.get("skill", "*"), d["reason"]) for d in value)
    if isinstance(value, list):
        return tuple(item.strip() for item in value)
    return float(value) if key == "threshold" else value


def _shown(value: Any) -> str:
    """A value of any type and size for a message: the repr of a deep or long one would fail."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        wrong = [item for item in value if not _is_name(item)]
        if not wrong:
            return f"a list of {len(value)}"
        return "a list with " + ("a list" if isinstance(wrong[0], list) else _shown(wrong[0]))
    try:
        return f"{value!r:.60}"
    except ValueError:
        return "a number of thousands of digits"
