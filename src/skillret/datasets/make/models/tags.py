"""Tags by a model, in two passes: labels for the library, then labels of each skill."""

from __future__ import annotations

from collections.abc import Sequence

from skillret.datasets.make.config import Config
from skillret.datasets.make.models.asker import Asker, Question
from skillret.datasets.make.models.forms import Classified, Labels, read_form
from skillret.datasets.make.models.prompts import SYSTEMS, fenced, skill_text
from skillret.datasets.make.step import Result, drawn
from skillret.datasets.row_files import Row
from skillret.errors import ServiceError

__all__ = ["batches", "classify_question", "labels_question", "tag_by_model"]

_NONE = "none"
_KINDS = (("action", "actions"), ("object", "objects"), ("domain", "domains"))


def batches(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    """Rows in parts of at most `size`."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def labels_question(rows: Sequence[Row], config: Config) -> Question:
    """Labels for the names of a library."""
    names = [row["name"] for row in rows]
    if len(names) > config.tag.names:
        names = drawn(config.seed, "labels").sample(names, config.tag.names)
    form = '{"actions": ["..."], "objects": ["..."], "domains": ["..."]}'
    return Question(SYSTEMS["labels"], f"{fenced([chr(10).join(names)])}\n\nForm: {form}")


def classify_question(rows: Sequence[Row], labels: str) -> Question:
    """Labels of some skills."""
    shown = fenced([skill_text(row, 0) for row in rows])
    form = '{"skills": [{"number": 1, "action": "...", "object": "...", "domain": "..."}]}'
    return Question(SYSTEMS["classify"], f"{shown}\n\n{labels}\nForm: {form}, all {len(rows)}.")


def tag_by_model(skills: Sequence[Row], model: Asker, config: Config) -> Result:
    """`primary_action`, `primary_object` and `domain` of every skill.

    Raises:
        ServiceError: If the model gives no labels at all.
    """
    question = labels_question(skills, config)
    found = model.ask([question], lambda _, text: read_form(Labels, text))[0]
    if found.value is None:
        raise ServiceError(
            f"{model.endpoint.name} finds no labels: {found.reason}; with more [model]"
            " attempts it is asked again"
        )
    labels = found.value
    allowed = {name: set(getattr(labels, plural)) for name, plural in _KINDS}
    listed = "\n".join(f"{plural}: {', '.join(getattr(labels, plural))}" for _, plural in _KINDS)
    parts = batches(skills, config.tag.batch)

    def read(number: int, text: str) -> dict[int, dict[str, str]]:
        tags = {}
        for row in read_form(Classified, text).skills:
            said = {name: str(getattr(row, name)) for name, _ in _KINDS}
            if any(said[name] not in allowed[name] for name in said):
                raise ValueError("answer has labels that were not given")
            tags[row.number] = said
        if tags.keys() != set(range(1, len(parts[number]) + 1)):
            raise ValueError("answer leaves skills out")
        return tags

    answers = model.ask([classify_question(part, listed) for part in parts], read)
    result = Result(unit="skill")
    for part, answer in zip(parts, answers, strict=True):
        for number, row in enumerate(part, start=1):
            said = (answer.value or {}).get(number, {})
            tags = {"primary_action": said.get("action", _NONE)}
            tags |= {"primary_object": said.get("object", _NONE)}
            result.rows.append({"id": row["id"], **tags, "domain": said.get("domain", _NONE)})
        if answer.value is None:
            result.facts[f"without tags ({answer.reason})"] = len(part) + int(
                result.facts.get(f"without tags ({answer.reason})", 0)
            )
    result.facts["different actions"] = len({row["primary_action"] for row in result.rows})
    return result
