"""pydantic-ai: a toolset by which an agent searches skills and reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from skillret.adapters.tools import INSTRUCTIONS, SkillTools
from skillret.errors import SkillretError
from skillret.extras import require
from skillret.types import Where

if TYPE_CHECKING:
    from skillret.adapters.source import Source

try:
    from pydantic_ai import FunctionToolset, ModelRetry
except ImportError:
    require("pydantic-ai", "the adapter for pydantic-ai", ("pydantic_ai",))
    raise

__all__ = ["skill_toolset"]


def skill_toolset(
    source: Source, *, k: int = 5, where: Where | None = None
) -> FunctionToolset[Any]:
    """The tools `search_skills` and `load_skill`, and instructions for them.

    Args:
        source: A `Retriever`, or a `Client` of a service.
        k: How many skills a search returns at most.
        where: What their metadata must hold; see `Retriever.search`.
    """
    tools = SkillTools(source, k=k, where=where).functions
    return FunctionToolset([_told(function) for function in tools], instructions=INSTRUCTIONS)


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; what is wrong with a call is told to the model, which may try again."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except SkillretError as e:
            raise ModelRetry(str(e)) from None

    return call
