"""What asking would cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from skillret.datasets.make.config import Config, EndpointSection
from skillret.datasets.make.models.asker import tokens_of
from skillret.datasets.make.models.categories import categorise_question
from skillret.datasets.make.models.judging import judge_question
from skillret.datasets.make.models.requests import is_test, request_question
from skillret.datasets.make.models.tags import batches, classify_question, labels_question
from skillret.datasets.make.sorting import read_taxonomy
from skillret.datasets.row_files import Row

__all__ = ["estimate"]

# Tokens of an answer: of one skill's labels or category, of a request, of a grade.
_LABELS, _TAG, _CATEGORY, _REQUEST, _GRADE = 200, 35, 15, 110, 14


def estimate(
    skills: Sequence[Row], plans: Sequence[Row], config: Config
) -> list[tuple[str, int, int, int, float]]:
    """Step, calls, tokens in, tokens out and cost, without retries and kept answers.

    Tokens are counted as a third of the bytes, which is more than English needs.

    Args:
        skills: Of the step `filter`.
        plans: Of the step `sample`; their number is what counts.
        config: The configuration.
    """
    rows = []
    if config.model.kind:
        tags = [classify_question(part, "x" * 600) for part in batches(skills, config.tag.batch)]
        asked = [labels_question(skills, config), *tags]
        tokens = sum(map(tokens_of, asked))
        rows.append(_row("tag", len(asked), tokens, _LABELS + _TAG * len(skills), config.model))
        if config.taxonomy.source != "discover":
            categories = read_taxonomy(config.taxonomy)
            parts = batches(skills, config.taxonomy.batch)
            tokens = sum(tokens_of(categorise_question(part, categories)) for part in parts)
            out = _CATEGORY * len(skills)
            rows.append(_row("taxonomy", len(parts), tokens, out, config.model))
        by_id: Mapping[str, Row] = {row["id"]: row for row in skills}
        writers = {False: config.model, True: config.test_model}
        if not config.test_model.kind:
            writers[True] = config.model
        for of_tests, writer in writers.items():
            mine = [plan for plan in plans if is_test(plan) == of_tests]
            shown = config.write.characters
            tokens = sum(
                tokens_of(request_question(p, [by_id[i] for i in p["skill_ids"]], shown))
                for p in mine
            )
            if mine:
                rows.append(_row("write", len(mine), tokens, _REQUEST * len(mine), writer))
    judged = [p for p in plans if p["skill_ids"]]
    if config.judge.kind and judged:
        shown = 1 + config.check.candidates
        some = skills[:200]
        mean = fmean(tokens_of(judge_question("", [row])) for row in some)
        bare = tokens_of(judge_question("", []))
        tokens = round(len(judged) * (bare + _REQUEST + shown * (mean - bare)))
        rows.append(_row("check", len(judged), tokens, _GRADE * shown * len(judged), config.judge))
    return rows


def _row(
    step: str, calls: int, input_: int, output: int, endpoint: EndpointSection
) -> tuple[str, int, int, int, float]:
    cost = (input_ * endpoint.input_price + output * endpoint.output_price) / 1e6
    return step, calls, input_, output, cost
