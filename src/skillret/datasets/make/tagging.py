"""Step `tag`: what a skill does, to what, and in which field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from skillret.datasets.make.step import Context, Result
from skillret.datasets.make.verbs import leading_verb
from skillret.datasets.row_files import Row
from skillret.lexical.analyzer import STOP_WORDS, read_terms
from skillret.skills.exclusions import read_purpose

__all__ = ["tag_skills", "terms_of"]

_NONE = "none"


def tag_skills(context: Context) -> Result:
    """`primary_action`, `primary_object` and `domain` of every skill.

    A model discovers labels from all names and then sorts skills in batches (the paper's two
    passes). Without one the first verb of a description is the action and the word of its name that
    is rarest in the library the object.
    """
    skills = context.rows("filter")
    if context.model is not None:
        from skillret.datasets.make.models.tags import tag_by_model

        return tag_by_model(skills, context.model, context.config)
    held = Counter(term for row in skills for term in set(terms_of(row)))
    result = Result(unit="skill")
    for row in skills:
        action = leading_verb(read_purpose(row["description"], row["name"]).wanted) or _NONE
        words = row["name"].replace("-", " ").replace("_", " ").lower().split()
        nouns = [w for w in words if w not in STOP_WORDS and w != action] or words
        rarest = min(nouns, key=lambda w: held[(read_terms(w) or [w])[0]], default=_NONE)
        tags = {"primary_action": action, "primary_object": rarest, "domain": _NONE}
        result.rows.append({"id": row["id"], **tags})
    result.facts["different actions"] = len({row["primary_action"] for row in result.rows})
    return result


def terms_of(row: Row) -> Sequence[str]:
    """The terms of a skill's name and description."""
    return read_terms(f"{row['name']} {row['description']}")
