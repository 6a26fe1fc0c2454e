"""Find the right agent skills for a request: fast, offline, trainable, measured."""

from skillret._version import __version__
from skillret.encoders import Encoder, Profile, load_encoder
from skillret.errors import SkillretError
from skillret.index import Index
from skillret.retrieval import Retriever
from skillret.skills import Library
from skillret.types import Hit, Query, Selection, Skill

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
    "load_encoder",
]
