"""What an agent's list of skills, which it reads at the start of a session, cuts off."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from skillret.agents.doctor.finding import Examined, Finding
from skillret.messages import counted
from skillret.skills import Library
from skillret.skills.agent_settings import claude_settings
from skillret.skills.agents import find_agent
from skillret.types import Skill

__all__ = ["Budget", "check", "claude_budget"]

_CHARACTERS = 4  # of a token, on average
_CONTEXT = 200_000  # tokens, where nobody says how many
_AROUND_NAME = 4  # characters of an entry besides name and description
_WITHOUT = ("off", "name-only", "user-invocable-only")  # of `skillOverrides`: no description


class Budget(NamedTuple):
    """How much an agent lists.

    Attributes:
        characters: In all.
        entry: Of one description; None if that has no limit of its own.
        share: Where `characters` comes from.
        setting: What changes it.
    """

    characters: int
    entry: int | None
    share: str
    setting: str


def check(examined: Examined) -> Iterator[Finding]:
    """What is cut, for each agent that has a budget."""
    for agent, library in examined.agents.items():
        if agent == "claude-code":
            settings = claude_settings(examined.cwd, examined.home)
            named = settings.get("skillOverrides")
            off = {
                name
                for name, how in (named if isinstance(named, dict) else {}).items()
                if how in _WITHOUT
            }
            yield from _cut(agent, library, claude_budget(settings), off)
        elif agent == "codex":
            yield from _cut(agent, library, _codex_budget(), set())


def claude_budget(settings: Mapping[str, Any]) -> Budget:
    """Claude Code's budget by its settings and the environment."""
    fraction = _number(settings.get("skillListingBudgetFraction"), 0.01)
    share = fraction if 0 < fraction <= 1 else 0.01
    entry = max(int(_number(settings.get("skillListingMaxDescChars"), 1536)), 1)
    setting = "skillListingBudgetFraction in its settings.json, or SLASH_COMMAND_TOOL_CHAR_BUDGET"
    given = os.environ.get("SLASH_COMMAND_TOOL_CHAR_BUDGET", "").strip()
    if given.isascii() and given.isdigit() and len(given) < 10:
        return Budget(int(given), entry, "SLASH_COMMAND_TOOL_CHAR_BUDGET", setting)
    characters = round(share * _CONTEXT * _CHARACTERS)
    return Budget(characters, entry, f"{share:.3g} of {_CONTEXT:,} tokens", setting)


def _codex_budget() -> Budget:
    characters = round(0.02 * _CONTEXT * _CHARACTERS)
    setting = "skills.max_context_tokens in its config.toml"
    return Budget(characters, None, f"0.02 of {_CONTEXT:,} tokens", setting)


def _cut(agent: str, library: Library, budget: Budget, off: set[str]) -> Iterator[Finding]:
    title = find_agent(agent).title
    listed = [s for s in library.skills if not s.user_only and s.shadowed_by is None]
    sizes = [_size(agent, skill, budget) if skill.name not in off else 0 for skill in listed]
    names = sum(len(skill.name) + _AROUND_NAME for skill in listed)
    total = names + sum(sizes)
    if total > budget.characters:
        room = max(0, budget.characters - names)
        fit = int(room * len(listed) / max(sum(sizes), 1))
        if agent == "claude-code":
            lost = f"about {counted(len(listed) - fit, 'description')} dropped, least used first"
        else:
            share = 100 * room // max(sum(sizes), 1)
            lost = f"descriptions are cut to about {share} % of their length"
        yield Finding(
            "listing",
            "warning",
            "",
            None,
            None,
            f"{title} lists {budget.characters:,} characters ({budget.share});"
            f" {counted(len(listed), 'skill')} have {total:,}: {lost}",
            f"shorten descriptions, remove skills that are not used, or raise {budget.setting}",
        )
    for skill in listed if budget.entry is not None else ():
        if len(skill.description) > (budget.entry or 0) and skill.name not in off:
            yield Finding(
                "listing-entry",
                "warning",
                skill.name,
                skill.path,
                None,
                f"its description has {len(skill.description):,} characters; {title} shows"
                f" {budget.entry:,}, `when_to_use` included",
                "say first what it is for, and move details into the body"
                " (or raise skillListingMaxDescChars)",
            )


def _size(agent: str, skill: Skill, budget: Budget) -> int:
    """Characters of an entry besides the name; Codex gives the path as well."""
    path = len(skill.path or "") + len(" (file: )") if agent == "codex" else 0
    described = len(skill.description)
    return path + (described if budget.entry is None else min(described, budget.entry))


def _number(value: Any, otherwise: float) -> float:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if plain and abs(value) < 1e9 else otherwise
