"""Step `taxonomy`: into which category each skill goes."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from skillret.datasets.make.config import TaxonomySection
from skillret.datasets.make.step import Context, Result
from skillret.datasets.row_files import Row
from skillret.errors import InputError
from skillret.files import expand, read_text
from skillret.lexical.analyzer import read_terms

__all__ = ["UNSORTED", "Category", "read_taxonomy", "sort_skills", "sorted_into"]

_MOST = 256 << 10
_NAME, _LEAST = 3.0, 3.0  # weight of words of a name; evidence that a category takes


class Category(NamedTuple):
    """One part of a taxonomy, with words that descriptions of its skills use."""

    major: str
    sub: str
    words: str = ""


UNSORTED = Category("Unsorted", "Unsorted")


def read_taxonomy(section: TaxonomySection) -> list[Category]:
    """The packaged taxonomy, or that of a file.

    Raises:
        InputError: If the file cannot be read, or is none.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    name = section.file if section.source == "file" else "taxonomy.toml"
    try:
        if section.source == "file":
            text = read_text(Path(expand(name)), _MOST)
        else:
            text = files(__package__).joinpath("texts").joinpath(name).read_text(encoding="utf-8")
        rows = tomllib.loads(text)["sub"]
        found = [Category(row["major"], row["name"], row.get("words", "")) for row in rows]
        if not found or not all(isinstance(value, str) for c in found for value in c):
            raise ValueError("it has no categories")
    except OSError as e:
        raise InputError(f"cannot read the taxonomy {name}: {e.strerror or e}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        form = '[[sub]] tables with major = "...", name = "..." and words = "..."'
        raise InputError(f"the taxonomy {name} must hold {form}: {e}") from None
    return found


def sort_skills(context: Context) -> Result:
    """`major` and `sub` of every skill; without a model by the words of its name and description.

    The evidence of a word is its inverse frequency among the categories.
    """
    skills = context.rows("filter")
    if context.model is not None:
        from skillret.datasets.make.models.categories import sort_by_model

        return sort_by_model(skills, context.rows("tag"), context.model, context.config)
    categories = read_taxonomy(context.config.taxonomy)
    terms = [set(read_terms(c.words)) for c in categories]
    held = Counter(term for words in terms for term in words)
    weights = {term: 1 + math.log(len(categories) / count) for term, count in held.items()}
    found = []
    for row in skills:
        name, text = set(read_terms(row["name"])), set(read_terms(row["description"]))
        scores = [
            sum(weights[t] * (_NAME * (t in name) + (t in text)) for t in words & (name | text))
            for words in terms
        ]
        best = max(range(len(scores)), key=scores.__getitem__)
        found.append(categories[best] if scores[best] >= _LEAST else UNSORTED)
    return sorted_into(skills, found)


def sorted_into(skills: Sequence[Row], categories: Sequence[Category]) -> Result:
    """What the step leaves: the category of each skill, and counts."""
    result = Result(unit="skill")
    for row, found in zip(skills, categories, strict=True):
        result.rows.append({"id": row["id"], "major": found.major, "sub": found.sub})
    result.facts["categories"] = len({(r["major"], r["sub"]) for r in result.rows})
    unsorted = sum(found == UNSORTED for found in categories)
    if unsorted:
        result.facts["unsorted"] = unsorted
    return result
