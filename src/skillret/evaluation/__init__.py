"""Metrics, runs and reports of labelled queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skillret.evaluation.evaluator import Result, evaluate

__all__ = ["Result", "evaluate"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Loaded when asked for: its modules also serve commands that evaluate nothing.
        if name in __all__:
            from skillret.evaluation import evaluator

            return getattr(evaluator, name)
        raise AttributeError(f"module 'skillret.evaluation' has no attribute {name!r}")
