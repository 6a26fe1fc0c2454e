"""Find the right agent skills for a query: fast, offline, trainable, measured."""

from skillret._version import __version__

TYPE_CHECKING = False  # as type checkers take it; `typing` would be nearly all of the import's time
if TYPE_CHECKING:
    from typing import Any

    from skillret.client import AsyncClient, Client
    from skillret.encoders import Encoder, Profile, load_encoder
    from skillret.errors import SkillretError
    from skillret.evaluation.evaluator import evaluate
    from skillret.index import Index
    from skillret.retrieval import Retriever
    from skillret.skills import Library
    from skillret.types import Hit, Query, Selection, Skill

__all__ = [
    "AsyncClient",
    "Client",
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

_MODULES = {
    "AsyncClient": "client",
    "Client": "client",
    "Encoder": "encoders",
    "Hit": "types",
    "Index": "index",
    "Library": "skills",
    "Profile": "encoders",
    "Query": "types",
    "Retriever": "retrieval",
    "Selection": "types",
    "Skill": "types",
    "SkillretError": "errors",
    "evaluate": "evaluation.evaluator",
    "load_encoder": "encoders",
}
_PACKAGES = {*_MODULES.values(), "calibration", "datasets", "evaluation", "lexical", "training"}


if not TYPE_CHECKING:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> "Any":
        # Loaded when asked for: a search should not pay for evaluation, nor `--help` for NumPy, nor
        # a hook for `importlib`.
        from importlib import import_module

        if name in _MODULES:
            value = getattr(import_module(f"skillret.{_MODULES[name]}"), name)
            globals()[name] = value
            return value
        if name in _PACKAGES:
            return import_module(f"skillret.{name}")
        raise AttributeError(f"module 'skillret' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PACKAGES})
