"""OpenAI Agents SDK: tools by which an agent searches skills and reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from skillret.adapters.tools import INSTRUCTIONS, SkillTools
from skillret.errors import SkillretError
from skillret.extras import require
from skillret.messages import printable
from skillret.types import Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

try:
    from agents import RunContextWrapper, Tool, default_tool_error_function, function_tool
except ImportError:
    require("openai-agents", "the adapter for the OpenAI Agents SDK", ("agents",))
    raise

__all__ = ["INSTRUCTIONS", "skill_tools"]


def skill_tools(source: Source, *, k: int = 5, where: Where | None = None) -> list[Tool]:
    """The tools `search_skills` and `load_skill`; `INSTRUCTIONS` tells an agent of them.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills a search returns at most.
        where: What their metadata must hold; see `Retriever.search`.
    """
    tools = SkillTools(source, k=k, where=where).functions
    return [function_tool(_as_json(one), failure_error_function=_told) for one in tools]


def _told(context: RunContextWrapper[Any], error: Exception) -> str:
    """What is wrong with a call, for the model, which may do better; nothing of other errors."""
    if isinstance(error, SkillretError):
        return printable(str(error))
    return str(default_tool_error_function(context, error))


def _as_json(function: Callable[..., Any]) -> Callable[..., str]:
    """The function; the SDK would show the model Python's own writing of a list."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> str:
        answer = function(*args, **kwargs)
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)

    return call
