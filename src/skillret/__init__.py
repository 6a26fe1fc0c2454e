"""Find the right agent skills for a request: fast, offline, trainable, measured."""

from typing import TYPE_CHECKING, Any

from skillret._version import __version__
from skillret.encoders import Encoder, Profile, load_encoder
from skillret.errors import SkillretError
from skillret.index import Index
from skillret.retrieval import Retriever
from skillret.skills import Library
from skillret.types import Hit, Query, Selection, Skill

if TYPE_CHECKING:
    from skillret.evaluation.evaluate import evaluate

__all__ = [
    "Encoder",
    "Hit",
    "Index",
    "Library",
    "Profile",
    "Query",
    "Retriever",
    "Selection",
    "Skill",
    "SkillretError",
    "__version__",
    "evaluate",
    "load_encoder",
]


def __getattr__(name: str) -> Any:
    # Evaluation is loaded when it is asked for: a search should not pay for it.
    if name == "evaluate":
        from skillret.evaluation.evaluate import evaluate

        return evaluate
    raise AttributeError(f"module 'skillret' has no attribute {name!r}")
