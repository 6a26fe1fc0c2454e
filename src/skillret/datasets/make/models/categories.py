"""Categories by a model: of a given taxonomy, or of one that it designs first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from skillret.datasets.make.config import Config
from skillret.datasets.make.models.asker import Asker, Question
from skillret.datasets.make.models.forms import Categories, Categorised, read_form
from skillret.datasets.make.models.prompts import SYSTEMS, fenced, skill_text
from skillret.datasets.make.models.tags import batches
from skillret.datasets.make.sorting import UNSORTED, Category, read_taxonomy, sorted_into
from skillret.datasets.make.step import Result
from skillret.datasets.row_files import Row
from skillret.errors import ServiceError

__all__ = ["categorise_question", "sort_by_model"]

_TAGS = ("primary_action", "primary_object", "domain")
_SHOWN = 60  # of the commonest tags


def categorise_question(rows: Sequence[Row], categories: Sequence[Category]) -> Question:
    """The categories of some skills."""
    listed = "\n".join(f"{n}. {c.major} / {c.sub}" for n, c in enumerate(categories, start=1))
    form = '{"skills": [{"number": 1, "category": 1}]}'
    shown = fenced([skill_text(row, 0) for row in rows])
    return Question(SYSTEMS["categorise"], f"{shown}\n\n{listed}\nForm: {form}, all {len(rows)}.")


def sort_by_model(
    skills: Sequence[Row], tags: Sequence[Row], model: Asker, config: Config
) -> Result:
    """`major` and `sub` of every skill.

    Raises:
        InputError: If the taxonomy's file is none.
        ServiceError: If the model designs no taxonomy.
    """
    if config.taxonomy.source == "discover":
        categories = _discover(tags, model)
    else:
        categories = read_taxonomy(config.taxonomy)
    parts = batches(skills, config.taxonomy.batch)

    def read(number: int, text: str) -> dict[int, int]:
        found = {row.number: row.category for row in read_form(Categorised, text).skills}
        if found.keys() != set(range(1, len(parts[number]) + 1)):
            raise ValueError("answer leaves skills out")
        if max(found.values()) > len(categories):
            raise ValueError("answer has categories that were not given")
        return found

    answers = model.ask([categorise_question(part, categories) for part in parts], read)
    found = []
    for part, answer in zip(parts, answers, strict=True):
        for number in range(1, len(part) + 1):
            found.append(categories[answer.value[number] - 1] if answer.value else UNSORTED)
    return sorted_into(skills, found)


def _discover(tags: Sequence[Row], model: Asker) -> list[Category]:
    """A taxonomy for the tags that skills have."""
    lines = []
    for name in _TAGS:
        count = Counter(row[name] for row in tags).most_common(_SHOWN)
        lines.append(f"{name}: {', '.join(f'{tag} ({number})' for tag, number in count)}")
    form = '{"groups": [{"name": "...", "parts": ["..."]}]}'
    question = Question(SYSTEMS["taxonomy"], f"{fenced([chr(10).join(lines)])}\n\nForm: {form}")
    answer = model.ask([question], lambda _, text: read_form(Categories, text))[0]
    if answer.value is None:
        raise ServiceError(
            f"{model.endpoint.name} designs no taxonomy: {answer.reason}; with more [model]"
            " attempts it is asked again"
        )
    return [Category(g.name, part) for g in answer.value.groups for part in g.parts]
