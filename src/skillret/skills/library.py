"""A library: the skills found under some roots, with what was odd about them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from fnmatch import translate
from pathlib import Path
from typing import Any

from skillret.errors import InputError
from skillret.files import expand, parse_json, read_start
from skillret.skills.names import invocations, known_names, namespace_of
from skillret.skills.overrides import Overrides
from skillret.skills.permissions import Permissions, permit
from skillret.skills.places import default_roots
from skillret.skills.walk import SKILL_FILE, Root, SkillFile, Walk, diagnostic
from skillret.types import Diagnostic, Skill

__all__ = ["MAX_SKILLS", "Library"]

MAX_SKILLS = 200_000  # per library

# Raised when the same files are read as other skills, so that an index of theirs is refreshed.
_READING_VERSION = 5
_CLAUDES = "Claude Code's settings"


class Library:
    """The skills under some roots. Finding them is quick; they are read when first asked for.

    Args:
        roots: Searched in this order, which is also the order of precedence.
        agent: The agent whose places these are: its own rules say which skill of a name wins, and
            what it does not load is left out.
        hide: Names of skills or of their folders, also as `plugin:name`, glob patterns of names
            whatever their case, or paths of files that are left out.
        overrides: What an agent's own settings say of single skills.
        permissions: What an agent's permission rules say of skills.
        said_in: The files of an agent's settings, by what they say in `hide` and `overrides`; the
            rest of `hide` is of skillret's settings. None where nobody knows.

    Attributes:
        hidden: How many were hidden, once they are read.
        hidden_by: What has hidden them, in words, once they are read.

    Raises:
        InputError: If a root is missing, is no folder or cannot be read.
    """

    def __init__(
        self,
        roots: Sequence[Root],
        *,
        agent: str | None = None,
        hide: Sequence[str] = (),
        overrides: Overrides | None = None,
        permissions: Permissions | None = None,
        said_in: Mapping[str, str] | None = None,
    ) -> None:
        self.roots = tuple(roots)
        self.agent = agent
        self.hide = tuple(hide)
        self.overrides = overrides or Overrides()
        self.permissions = permissions or Permissions()
        self.said_in = said_in
        self.hidden = 0
        self.hidden_by: tuple[str, ...] = ()
        self._denied: list[Diagnostic] = []
        self._walk = Walk(self.roots)
        self._found = list(self._find())
        self._read: tuple[list[Skill], list[Diagnostic], list[Diagnostic]] | None = None

    @classmethod
    def open(cls, *folders: str | os.PathLike[str]) -> Library:
        """The library under the given folders; without any, under the usual places.

        Raises:
            InputError: If a folder is missing, is no folder or cannot be read.
        """
        if not folders:
            return cls(default_roots())
        roots: dict[Path, Root] = {}
        for folder in folders:
            if not os.fspath(folder):
                raise InputError("the name of a folder is empty")
            try:
                path = expand(folder)
                resolved = path.resolve(strict=True)
            except FileNotFoundError:
                raise InputError(f"no such folder: {folder}") from None
            except (OSError, RuntimeError, ValueError) as e:
                raise InputError(f"cannot open {folder}: {e}") from None
            if not resolved.is_dir():
                raise InputError(f"not a folder: {path} (give the folder that holds the skills)")
            roots.setdefault(resolved, Root(resolved))
        return cls(list(roots.values()))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over path, size and times of every SKILL.md: equal means nothing changed."""
        digest = hashlib.sha256(f"{_READING_VERSION}\n".encode())
        for root in self.roots:
            digest.update(f"{root.path}\0{root.scope}\n".encode("utf-8", "surrogateescape"))
        rules = (self.agent or "", *self.hide)
        if self.overrides:
            rules += ("overrides", repr(self.overrides))
        if self.permissions:
            rules += ("permissions", repr(self.permissions))
        digest.update("\0".join(rules).encode("utf-8", "surrogateescape"))
        for found in self._found:
            also = "\0".join(self._walk.aliases.get(found.path, ()))
            line = f"{found.root}\0{found.path}\0{found.stamp}\0{also}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    @property
    def skills(self) -> list[Skill]:
        """The skills in order of precedence; copies collapsed, shadowed ones marked."""
        return self._load()[0]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What was odd: skipped files, broken rules, collapsed copies, shadowed names."""
        return self._load()[1]

    @property
    def left_out(self) -> list[Diagnostic]:
        """Of the diagnostics those on what was seen and not taken, or not what its agent takes."""
        return self._load()[2]

    @property
    def left_to_user(self) -> list[Diagnostic]:
        """Which skills, or whose, an agent's permission rules leave to the user, and why."""
        self._load()
        return self._denied

    def __len__(self) -> int:
        return len(self.skills)

    def __iter__(self) -> Iterator[Skill]:
        return iter(self.skills)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many of its skills each root leads to, whether another root does so too or not."""
        starts = {os.path.join(r.path, ""): n for n, r in enumerate(self.roots)}  # noqa: PTH118
        counts = [0] * len(self.roots)
        for skill in self.skills:
            paths = filter(None, (skill.path, *skill.aliases))
            # One root may lie inside another one, which then does not lead there.
            own = {max(filter(p.startswith, starts), key=len, default="") for p in paths}
            for start in own - {""}:
                counts[starts[start]] += 1
        return tuple(counts)

    def _load(self) -> tuple[list[Skill], list[Diagnostic], list[Diagnostic]]:
        if self._read is None:
            notes: list[Diagnostic] = []
            found = self._named(_read_all(self._found, notes))
            left = [*self._walk.notes, *_passed_over(self._walk.hidden, self.roots)]
            left += [note for note in notes if note.level == "error"]
            notes = [note for note in notes if note.level != "error"]
            shown = self._shown(found, left)
            self.hidden = len(found) - len(shown)
            skills = _collapse(shown, self.roots, notes)
            if self.agent is None:
                skills = _shadow(skills, self.roots, notes)
            else:
                skills = _as_loaded(self.agent, skills, self.roots, left)
            self._read = (skills, left + notes, left)
        return self._read

    def _shown(self, found: Sequence[Skill], left: list[Diagnostic]) -> list[Skill]:
        """The skills that no settings hide."""
        by: list[str] = []
        shown = _hide(found, _Hiders(self.hide, self.agent, self.said_in, self.roots), left, by)
        shown = _override(shown, self.overrides, self.roots, self.said_in or {}, left, by)
        self._denied = []
        why = left if self.permissions.hides else self._denied
        shown = permit(shown, self.permissions, self.roots, why, by)
        self.hidden_by = tuple(dict.fromkeys(by))
        return shown

    def _named(self, skills: Sequence[Skill]) -> list[Skill]:
        """The skills with the further paths that lead to them."""
        aliases = self._walk.aliases
        return [
            replace(skill, aliases=(*skill.aliases, *aliases[skill.path]))
            if skill.path in aliases
            else skill
            for skill in skills
        ]

    def _find(self) -> Iterator[SkillFile]:
        for count, found in enumerate(self._walk.files(), start=1):
            if count > MAX_SKILLS:
                root = self.roots[found.root].path
                message = f"more than {MAX_SKILLS} skills; rest skipped"
                self._walk.notes.append(diagnostic("error", root, message))
                return
            yield found


def _passed_over(hidden: Sequence[str], roots: Sequence[Root]) -> Iterator[Diagnostic]:
    """Hidden folders in which there is something to be missed: what no root leads to."""
    searched = tuple(os.path.join(root.path, "") for root in roots)  # noqa: PTH118
    for folder in hidden:
        try:
            real = Path(folder).resolve()
            inside = tuple(s for s in searched if s.startswith(os.path.join(real, "")))  # noqa: PTH118
            found = Walk([Root(real, "hidden")]).files()
            count = sum(1 for file in found if not file.path.startswith(inside))
        except (InputError, OSError, RuntimeError):
            continue
        if count:
            many = f"{count} skill{'s' * (count != 1)}"
            message = f"a hidden folder is passed over, with {many} in it; name it as a --library"
            yield diagnostic("warning", folder, message)


class _Hiders:
    """What hides skills, and whose it is.

    Args:
        hide: Names, patterns of names, and paths.
        agent: Whose own settings may be among it.
        said_in: See `Library`.
        roots: The library's.
    """

    def __init__(
        self,
        hide: Sequence[str],
        agent: str | None,
        said_in: Mapping[str, str] | None,
        roots: Sequence[Root],
    ) -> None:
        self._hide, self._said_in, self._roots = hide, said_in, roots
        self._unknown = said_in is None and agent is not None
        self._any = re.compile("|".join(translate(p.casefold()) for p in hide) or r"(?!)").match
        self._files = {path for path in hide if os.path.isabs(path)}  # noqa: PTH117

    def of(self, skill: Skill) -> tuple[str, ...] | None:
        """The files of settings that name a skill, skillret's own as an empty text; else None."""
        paths = {skill.path or "", *skill.aliases} if self._files else set[str]()
        if self._files and skill.path:  # who names a file may have followed a link to it
            paths.add(os.path.realpath(skill.path))
        if not self._hide:
            return None
        called = known_names(skill.name, (skill.path, *skill.aliases), self._roots)
        names = {name.casefold() for name in called}
        if not any(map(self._any, names)) and paths.isdisjoint(self._files):
            return None
        if self._unknown:
            return ()
        said_in = self._said_in or {}
        patterns = [
            p
            for p in self._hide
            if p in paths or any(map(re.compile(translate(p.casefold())).match, names))
        ]
        files = (
            ("", said_in[p]) if self._hide.count(p) > 1 and p in said_in else (said_in.get(p, ""),)
            for p in patterns
        )
        return tuple(dict.fromkeys(file for some in files for file in some))


def _hide(
    skills: Sequence[Skill], hiders: _Hiders, notes: list[Diagnostic], by: list[str]
) -> list[Skill]:
    """The skills that no pattern names; `by` gets what hides the others."""
    kept = []
    for skill in skills:
        files = hiders.of(skill)
        if files is None:
            kept.append(skill)
            continue
        message = f"left out: {_whose(files)}"
        notes.append(diagnostic("warning", skill.path or skill.id, message))
        by += [file or "`hide` of the settings" for file in files or ("", "the agent's settings")]
    return kept


def _whose(files: Sequence[str]) -> str:
    """Which settings hide a skill, as `_Hiders.of` gives them."""
    if not files:
        return "your settings hide it, or the agent's own disable it"
    theirs = " and ".join(filter(None, files))
    if "" not in files:
        return f"disabled in {theirs}"
    return "your settings hide it" + (f", and it is disabled in {theirs}" if theirs else "")


def _override(
    skills: Sequence[Skill],
    overrides: Overrides,
    roots: Sequence[Root],
    said_in: Mapping[str, str],
    notes: list[Diagnostic],
    by: list[str],
) -> list[Skill]:
    """The skills that an agent's settings do not turn off, those left to the user marked."""
    if not overrides:
        return list(skills)
    kept = []
    for skill in skills:
        names = overrides.names(skill, roots)
        off = names.intersection(overrides.off)
        if off:
            files = (said_in[name] for name in sorted(off) if name in said_in)
            whose = f"`skillOverrides` of {next(files, _CLAUDES)}"
            by.append(whose)
            message = f"left out: {whose} turn it off"
            notes.append(diagnostic("warning", skill.path or skill.id, message))
        elif names.isdisjoint(overrides.user_only):
            kept.append(skill)
        else:
            kept.append(replace(skill, user_only=True))
    return kept


def _read_all(found: Sequence[SkillFile], notes: list[Diagnostic]) -> list[Skill]:
    # Here and not above: a search of an index that is up to date reads no YAML.
    from skillret.skills.frontmatter import MAX_FILE_BYTES, parse_skill

    skills = []
    taken: set[str] = set()
    for item in found:
        try:
            item.path.encode("utf-8")
            data = read_start(item.path, MAX_FILE_BYTES + 1)
        except UnicodeEncodeError:
            shown = os.fsencode(item.path).decode("utf-8", "replace")
            notes.append(diagnostic("error", shown, "its path is not UTF-8; rename it"))
            continue
        except OSError as e:
            notes.append(diagnostic("error", item.path, f"cannot be read: {e.strerror}"))
            continue
        parsed, remarks = parse_skill(data, Path(item.path).parent.name)
        if Path(item.path).name != SKILL_FILE:
            remarks.insert(0, f"its name should be {SKILL_FILE}: other clients may not find it")
        if parsed is None:  # the reason; what else is odd with it tells nobody anything
            notes.append(diagnostic("error", item.path, remarks[-1]))
        else:
            notes += [diagnostic("warning", item.path, remark) for remark in remarks]
            id_ = _skill_id(parsed.name, item.path, taken)
            taken.add(id_)
            skills.append(
                Skill(
                    id=id_,
                    name=parsed.name,
                    description=parsed.description,
                    body=parsed.body,
                    path=item.path,
                    metadata=_metadata(parsed.extra),
                    extra=parsed.extra,
                    user_only=parsed.user_only or _forbidden(item, notes),
                )
            )
    return skills


def _metadata(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The front matter's `metadata`, as JSON has it: dates and the like as they are written."""
    given = extra.get("metadata")
    if not isinstance(given, Mapping):
        return {}
    named = {str(k): v for k, v in given.items()}
    try:
        plain: dict[str, Any] = parse_json(json.dumps(named, default=str, allow_nan=False))
    except (TypeError, ValueError, RecursionError):  # a number that is none, keys of any kind
        plain = {key: str(value) for key, value in named.items()}
    return plain


def _forbidden(item: SkillFile, notes: list[Diagnostic]) -> bool:
    """Whether what stands beside a SKILL.md for Codex leaves its start to the user."""
    from skillret.skills.frontmatter import MAX_FRONT_MATTER
    from skillret.skills.policy import forbids_implicit_use

    if item.policy is None:
        return False
    remarks: list[str] = []
    try:
        forbidden = forbids_implicit_use(read_start(item.policy, MAX_FRONT_MATTER), remarks)
    except OSError as e:
        forbidden, remarks = False, [f"cannot be read: {e.strerror}"]
    notes += [diagnostic("warning", item.policy, remark) for remark in remarks]
    return forbidden


def _skill_id(name: str, path: str, taken: Set[str]) -> str:
    """`name@hash of its path`: readable, and stable whatever other skills come and go.

    Someone may look for a path with the same eight digits: its skill gets more of them.
    """
    digest = hashlib.sha256(path.encode()).hexdigest()
    short = f"{name}@{digest[:8]}"
    return f"{name}@{digest}" if short in taken else short


def _collapse(
    skills: Sequence[Skill], roots: Sequence[Root], notes: list[Diagnostic]
) -> list[Skill]:
    """Make one skill of copies: the same name, description and body, in folders of the same name.

    By either name a skill is called, and with its plugin's before it: one of another folder or
    plugin is no copy, though its text is the same, for what stands beside it may not be. A body
    alone is not enough: stubs such as "See the README." are shared by unlike skills. Whoever
    changes the description of a copy wants it found by that.
    """
    kept: dict[str, Skill] = {}
    owner: dict[tuple[str, ...], str] = {}
    for skill in skills:
        path = skill.path or ""
        called = (skill.name, Path(path).parent.name, namespace_of(path, roots))
        first = owner.setdefault(
            (*called, skill.description, " ".join(skill.body.split())), skill.id
        )
        if first == skill.id:
            kept[skill.id] = skill
            continue
        original = kept[first]
        kept[first] = replace(original, aliases=(*original.aliases, skill.path or skill.id))
        message = f"a copy of {original.path}; kept once"
        notes.append(diagnostic("warning", skill.path or skill.id, message))
    return list(kept.values())


def _shadow(skills: Sequence[Skill], roots: Sequence[Root], notes: list[Diagnostic]) -> list[Skill]:
    """Mark skills whose name an earlier root has too. They stay: a search can still find them."""
    first: dict[tuple[str, str], str] = {}
    marked = []
    for skill in skills:
        path = skill.path or skill.id
        # A plugin's name stands before its skills' names, so they clash with no others.
        winner = first.setdefault((namespace_of(path, roots), skill.name), path)
        marked.append(skill if winner == path else _shadowed(skill, winner, notes))
    return marked


def _shadowed(skill: Skill, winner: str, notes: list[Diagnostic]) -> Skill:
    message = f"the name {skill.name!r} is shadowed by {winner}; both are kept"
    notes.append(diagnostic("warning", skill.path or skill.id, message))
    return replace(skill, shadowed_by=winner)


def _as_loaded(
    agent: str, skills: Sequence[Skill], roots: Sequence[Root], notes: list[Diagnostic]
) -> list[Skill]:
    """The skills as an agent sees them: what it does not load is left out."""
    loaded = []
    for skill, how in zip(skills, invocations(agent, skills, roots), strict=True):
        if how.shadowed_by is not None:
            loaded.append(_shadowed(skill, how.shadowed_by, notes))
        elif how.refused is not None:
            notes.append(diagnostic("warning", skill.path or skill.id, f"left out: {how.refused}"))
        else:
            loaded.append(skill)
    return loaded
