"""Which skills the permission rules of Claude Code and of OpenCode forbid these agents to load."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase, translate
from os.path import normcase
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from skillret.skills.overrides import own_paths
from skillret.skills.plugins import claude_settings, opencode_settings
from skillret.skills.walk import Root, diagnostic
from skillret.types import Diagnostic, Skill

__all__ = ["Permissions", "Rule", "claude_rules", "opencode_rules", "permit"]

_ALL = "*"
_EFFECTS = ("allow", "ask", "deny")
_MOST = 1000  # rules on skills that are kept
_MOST_LINES = 10_000  # of a file that are looked at
_LONGEST = 500  # characters of a rule: no name has more
_WILD = re.compile(r"[*?[]")
_PARAMETER = re.compile(r"skill\s*:\s*(.+)", re.DOTALL)

_Fits: TypeAlias = Callable[[str], object]  # whether a name fits a pattern


class Rule(NamedTuple):
    """What one line of an agent's settings says of skills.

    Attributes:
        pattern: Of their names, as `fnmatch` reads it.
        denies: Whether the agent may not load them.
        file: Where it is written.
    """

    pattern: str
    denies: bool
    file: str


class Permissions(NamedTuple):
    """What an agent's rules say of the skills in its places.

    Attributes:
        places: The folders, links resolved, whose skills they concern.
        rules: The last one that fits a name counts.
        hides: Whether the agent does not see what is denied; else only the user may start it.
    """

    places: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    hides: bool = False

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.rules)

    @classmethod
    def read(cls, stored: Any) -> Permissions:
        """As an index has stored them in JSON.

        Raises:
            TypeError: If it is something else.
            ValueError: Likewise.
        """
        if not stored:
            return cls()
        places, rules, hides = stored
        read = (Rule(str(pattern), bool(denies), str(file)) for pattern, denies, file in rules)
        return cls(tuple(map(str, places)), tuple(read), bool(hides))


def permit(
    skills: Sequence[Skill],
    permissions: Permissions,
    roots: Sequence[Root],
    notes: list[Diagnostic],
    by: list[str],
) -> list[Skill]:
    """The skills that an agent may see, those that only the user may start marked.

    Args:
        skills: Of a library.
        permissions: What is said of them.
        roots: The library's.
        notes: Gets why a skill is left out, or left to the user.
        by: Gets the files that leave skills out.
    """
    if not permissions:
        return list(skills)
    kept = []
    told: dict[Diagnostic, None] = {}
    rules = [(re.compile(translate(normcase(r.pattern))).match, r) for r in permissions.rules[::-1]]
    for skill in skills:
        rule = _denial(_called(skill, roots, permissions.places), rules)
        if rule is None:
            kept.append(skill)
        elif permissions.hides:
            by.append(rule.file)
            told[_note(skill, f"left out: disabled in {rule.file}")] = None
        else:
            kept.append(replace(skill, user_only=True))
            told[_reason(skill, rule)] = None
    notes += told
    return kept


def _called(skill: Skill, roots: Sequence[Root], places: Sequence[str]) -> Iterator[str]:
    """What a skill is called in some places: by its name, and by that of its folder."""
    for path, root in own_paths(skill, roots, places):
        for name in dict.fromkeys((skill.name, Path(path).parent.name)):
            yield f"{root.namespace}:{name}" if root.namespace else name


def _denial(names: Iterable[str], rules: Sequence[tuple[_Fits, Rule]]) -> Rule | None:
    """The rule that denies a skill of some names, the last rule first; mostly none."""
    for name in names:
        rule = next((rule for fits, rule in rules if fits(normcase(name))), None)
        if rule is not None and rule.denies:
            return rule
    return None


def _reason(skill: Skill, rule: Rule) -> Diagnostic:
    """Why Claude Code may not start a skill; the same for all if it may start none."""
    if rule.pattern == _ALL:
        message = "denies the tool `Skill`: Claude Code starts none of its skills by itself"
        return diagnostic("warning", rule.file, message)
    return _note(skill, f"`permissions.deny` of {rule.file} keeps Claude Code from starting it")


def _note(skill: Skill, message: str) -> Diagnostic:
    return diagnostic("warning", skill.path or skill.id, message)


def claude_rules(files: Sequence[Path]) -> tuple[Rule, ...]:
    """What the settings files of Claude Code deny; `*` alone if that is its whole tool `Skill`.

    Args:
        files: That of the organisation comes last, which may say that its rules alone count.
    """
    if claude_settings(files[-1:]).get("allowManagedPermissionRulesOnly") is True:
        files = files[-1:]
    found: dict[str, Rule] = {}
    for file in files:
        said = claude_settings([file]).get("permissions")
        denied = said.get("deny") if isinstance(said, dict) else None
        for text in denied[:_MOST_LINES] if isinstance(denied, list) else ():
            for pattern in _claude_patterns(text):
                found.setdefault(pattern, Rule(pattern, True, str(file)))
    if _ALL in found:
        return (found[_ALL],)
    return tuple(sorted(found.values())[:_MOST])


def _claude_patterns(text: Any) -> Iterator[str]:
    """The names of skills that a rule of Claude Code names, as `fnmatch` reads them.

    `Skill(pdf)` is one name. `Skill(pdf *)` and `Skill(pdf:*)` are all that begin so, whatever
    their arguments. `Skill(skill:p*f)` names the tool's parameter, where stars stand for any text.
    """
    if not _is_rule(text):
        return
    tool, bracket, rest = text.strip().partition("(")
    if not bracket:
        if _names_tool(_with_stars(tool), "Skill"):
            yield _ALL
        return
    if tool != "Skill" or not rest.endswith(")"):
        return
    named = rest[:-1].strip().removeprefix("/")
    if named in ("", _ALL):
        yield _ALL
    elif named.endswith((" *", ":*")):
        yield _literal(named[:-2].rstrip()) + _ALL
    else:
        yield _literal(named)
    parameter = _PARAMETER.fullmatch(named)
    if parameter is not None:
        yield _with_stars(parameter[1])


def _literal(text: str) -> str:
    """A pattern for a text itself."""
    return _WILD.sub(r"[\g<0>]", text)


def _with_stars(text: str) -> str:
    """A pattern for a text in which nothing but stars is special."""
    return _ALL.join(map(_literal, text.split(_ALL)))


def _with_wildcards(text: str) -> str:
    """A pattern for a text in which stars and question marks are special, and no brackets."""
    return text.replace("[", "[[]")


def opencode_rules(files: Iterable[Path]) -> tuple[Rule, ...]:
    """What the settings files of OpenCode say of skills, in order; nothing if they deny none.

    Args:
        files: A later one counts more.
    """
    rules = [
        Rule(_with_wildcards(resource), effect == "deny", str(file))
        for file in files
        for action, resource, effect in _opencode_lines(opencode_settings(file))
        if _names_tool(_with_wildcards(action), "skill")
    ]
    first = next((number for number, rule in enumerate(rules) if rule.denies), len(rules))
    return tuple(rules[first:][-_MOST:])


def _opencode_lines(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Action, resource and effect of each rule in a settings file, in their order.

    Up to version 1 they stand in `tools` and `permission`, then in `permissions`.
    """
    lines: list[tuple[Any, Any, Any]] = []
    tools, listed = settings.get("tools"), settings.get("permissions")
    for tool, on in tools.items() if isinstance(tools, dict) else ():
        if isinstance(on, bool):
            lines.append((tool, _ALL, "allow" if on else "deny"))
    for action, said in _pairs(settings.get("permission")):
        lines += ((action, resource, effect) for resource, effect in _pairs(said))
    for rule in listed if isinstance(listed, list) else ():
        if isinstance(rule, dict):
            lines.append((rule.get("action"), rule.get("resource"), rule.get("effect")))
    for action, resource, effect in lines[-_MOST_LINES:]:
        if _is_rule(action) and _is_rule(resource) and effect in _EFFECTS:
            yield action, resource, effect


def _pairs(value: Any) -> Iterable[tuple[str, Any]]:
    """The entries of an object; of a value alone, that it holds for all."""
    return value.items() if isinstance(value, dict) else [(_ALL, value)]


def _is_rule(text: Any) -> bool:
    """Whether it may be a rule, or a part of one."""
    return isinstance(text, str) and "\0" not in text and len(text) <= _LONGEST


def _names_tool(pattern: str, tool: str) -> bool:
    """Whether a pattern names a tool; nearly all are plain names."""
    wild = "*" in pattern or "?" in pattern
    return fnmatchcase(tool, pattern) if wild else pattern == tool
