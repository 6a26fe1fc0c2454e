"""OpenAI Agents SDK: tools by which an agent searches skills and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import Tool, function_tool
from skillret.adapters.tools import INSTRUCTIONS, SkillTools
from skillret.types import Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

__all__ = ["INSTRUCTIONS", "skill_tools"]


def skill_tools(source: Source, *, k: int = 5, where: Where | None = None) -> list[Tool]:
    """The tools `search_skills` and `load_skill`; `INSTRUCTIONS` tells an agent of them.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills a search returns at most.
        where: What their metadata must hold; see `Retriever.search`.
    """
    # What is wrong with a call, the SDK tells the model.
    return [function_tool(function) for function in SkillTools(source, k=k, where=where).functions]
