"""A library: the skills found under some roots, with what was odd about them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillret.errors import InputError
from skillret.files import expand, parse_json, read_start
from skillret.skills.walk import SKILL_FILE, Root, SkillFile, default_roots, diagnostic, walk
from skillret.types import Diagnostic, Skill

__all__ = ["MAX_SKILLS", "Library"]

MAX_SKILLS = 200_000  # per library


class Library:
    """The skills under some roots. Finding them is quick; they are read when first asked for.

    Args:
        roots: Searched in this order, which is also the order of precedence.
        hide: Names of skills, or glob patterns of names, that are left out whatever their case.

    Attributes:
        hidden: How many were left out, once they are read.

    Raises:
        InputError: If a root is missing, is no folder or cannot be read.
    """

    def __init__(self, roots: Sequence[Root], *, hide: Sequence[str] = ()) -> None:
        self.roots = tuple(roots)
        self.hide = tuple(hide)
        self.hidden = 0
        self._walk_notes: list[Diagnostic] = []
        self._found = list(self._find())
        self._read: tuple[list[Skill], list[Diagnostic]] | None = None

    @classmethod
    def open(
        cls,
        *folders: str | os.PathLike[str],
        more: Sequence[Path] = (),
        hide: Sequence[str] = (),
    ) -> Library:
        """The library under the given folders; without any, under the usual places.

        Args:
            folders: All that is looked into, if there are any.
            more: Folders beside the usual places, behind them; what is missing is passed over.
            hide: See `Library`.

        Raises:
            InputError: If a folder is missing, is no folder or cannot be read.
        """
        if not folders:
            roots = {root.path: root for root in default_roots()}
            for place in more:
                if place.is_dir():
                    path = place.resolve()
                    roots.setdefault(path, Root(path, "settings"))
            return cls(list(roots.values()), hide=hide)
        roots = {}
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
        return cls(list(roots.values()), hide=hide)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over path, size and times of every SKILL.md: equal means nothing changed."""
        digest = hashlib.sha256()
        for root in self.roots:
            digest.update(f"{root.path}\0{root.scope}\n".encode("utf-8", "surrogateescape"))
        for pattern in self.hide:
            digest.update(f"hide\0{pattern}\n".encode("utf-8", "surrogateescape"))
        for found in self._found:
            line = f"{found.root}\0{found.path}\0{found.stamp}\n"
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

    def __len__(self) -> int:
        return len(self.skills)

    def __iter__(self) -> Iterator[Skill]:
        return iter(self.skills)

    def _load(self) -> tuple[list[Skill], list[Diagnostic]]:
        if self._read is None:
            notes = list(self._walk_notes)
            found = _read_all(self._found, notes)
            shown = _without(found, self.hide) if self.hide else found
            self.hidden = len(found) - len(shown)
            self._read = (_shadow(_collapse(shown, notes), notes), notes)
        return self._read

    def _find(self) -> Iterator[SkillFile]:
        count = 0
        seen: set[str] = set()  # a root may lie inside another
        for number, root in enumerate(self.roots):
            for found in walk(root.path, number, self._walk_notes):
                if found.path in seen:
                    continue
                seen.add(found.path)
                count += 1
                if count > MAX_SKILLS:
                    self._note("error", root.path, f"more than {MAX_SKILLS} skills; rest skipped")
                    return
                yield found

    def _note(self, level: str, path: Path, message: str) -> None:
        self._walk_notes.append(diagnostic(level, path, message))


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


def _without(skills: Sequence[Skill], hide: Sequence[str]) -> list[Skill]:
    """The skills whose names are neither listed nor match a pattern."""
    import re
    from fnmatch import translate

    patterns = "|".join(translate(pattern.casefold()) for pattern in dict.fromkeys(hide))
    hidden = re.compile(patterns).match
    return [skill for skill in skills if not hidden(skill.name.casefold())]


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
    from skillret.skills.frontmatter import MAX_FRONT_MATTER, forbids_implicit_use

    if item.policy is None:
        return False
    try:
        return forbids_implicit_use(read_start(item.policy, MAX_FRONT_MATTER))
    except OSError as e:
        notes.append(diagnostic("warning", item.policy, f"cannot be read: {e.strerror}"))
        return False


def _skill_id(name: str, path: str, taken: Set[str]) -> str:
    """`name@hash of its path`: readable, and stable whatever other skills come and go.

    Someone may look for a path with the same eight digits: its skill gets more of them.
    """
    digest = hashlib.sha256(path.encode()).hexdigest()
    short = f"{name}@{digest[:8]}"
    return f"{name}@{digest}" if short in taken else short


def _collapse(skills: Sequence[Skill], notes: list[Diagnostic]) -> list[Skill]:
    """Make one skill of copies: the same name, description and body.

    A body alone is not enough: stubs such as "See the README." are shared by unlike skills. Whoever
    changes the description of a copy wants it found by that, and by a name a skill is invoked.
    """
    kept: dict[str, Skill] = {}
    owner: dict[tuple[str, str, str], str] = {}
    for skill in skills:
        key = (skill.name, skill.description, " ".join(skill.body.split()))
        first = owner.setdefault(key, skill.id)
        if first == skill.id:
            kept[skill.id] = skill
            continue
        original = kept[first]
        kept[first] = replace(original, aliases=(*original.aliases, skill.path or skill.id))
        message = f"a copy of {original.path}; kept once"
        notes.append(diagnostic("warning", skill.path or skill.id, message))
    return list(kept.values())


def _shadow(skills: Sequence[Skill], notes: list[Diagnostic]) -> list[Skill]:
    """Mark skills whose name an earlier root has too. They stay: a search can still find them."""
    first: dict[str, str] = {}
    marked = []
    for skill in skills:
        winner = first.setdefault(skill.name, skill.path or skill.id)
        if winner != (skill.path or skill.id):
            message = f"the name {skill.name!r} is shadowed by {winner}; both are kept"
            notes.append(diagnostic("warning", skill.path or skill.id, message))
            skill = replace(skill, shadowed_by=winner)
        marked.append(skill)
    return marked
