"""The model card of a reranker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from skillret.training.card import (
    CITATION,
    advice,
    base_name,
    chosen_by_dev,
    details,
    front_matter,
    limits,
    logs,
    title,
    versions,
)
from skillret.training.recipe import Recipe

__all__ = ["write_reranker_card"]

_DOES = """\
This model orders a few candidates that a retriever has found for a query; over a whole library it
is too slow. It does not decide whether a query needs a skill at all."""


def write_reranker_card(
    recipe: Recipe,
    run: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    best: int | None,
) -> str:
    """The card of a trained reranker; see `skillret.training.card.write_card`."""
    decoder = run["base"]["kind"] == "decoder"
    what = "the log-odds of `yes` over `no` as the next token" if decoder else "its one logit"
    parts = [
        front_matter(recipe, "text-ranking", "cross-encoder"),
        "This is a cross-encoder fine-tuned for AI agent skill retrieval. It reads a user query and"
        f" a skill together; the score is {what}.\n\nIt is fine-tuned from {base_name(recipe)} on"
        f" {run['data']['data']}.",
        _usage(recipe, decoder=decoder),
        details(recipe, run, _loss(recipe)),
        logs(recipe, rows, best),
        _results(run),
        limits(run, _DOES),
        versions(run),
        CITATION,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _usage(recipe: Recipe, *, decoder: bool) -> str:
    command = f"""\
### skillret

```bash
skillret search "Help me set up a CI/CD pipeline for my Python project" --rerank {recipe.name}
```

{advice(recipe.name)}A document is `{recipe.model.template}`."""
    if decoder:
        return f"""\
## Usage

{command} The prompt is that of Qwen3-Reranker with the instruction
{json.dumps(recipe.model.instruction, ensure_ascii=False)}."""
    return f"""\
## Usage

### Sentence Transformers

```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("{recipe.name}", max_length={recipe.model.max_tokens})

query = "Help me set up a CI/CD pipeline for my Python project"
skills = [
    "ci-cd-setup | Configure continuous integration and deployment pipelines ...",
    "python-debugging | Debug Python applications using pdb and logging ...",
]
print(model.rank(query, skills))
```

{command}"""


def _loss(recipe: Recipe) -> list[str]:
    section = recipe.negatives
    name = {
        "pointwise": "binary cross-entropy of every document (pointwise)",
        "listwise": "softmax cross-entropy over each group (listwise)",
    }[recipe.loss.objective]
    sources = " and ".join(section.sources)
    return [
        f"Loss: {name}",
        f"Groups: one gold skill and {section.per_pair} hard negatives from ranks"
        f" {section.first_rank} to {section.last_rank} of {sources}",
    ]


def _results(run: Mapping[str, Any]) -> str:
    dev, pool, chosen = run["data"]["dev"], run["data"]["pool"], run["result"]["dev"]
    lines = ["| Metric | as found | reranked | if ordered perfectly |", "|---|---|---|---|"]
    for name in ("ndcg@5", "ndcg@10", "ndcg@15", "recall@5", "recall@10", "completeness@10"):
        cells = [f"{of[name]:.4f}" for of in (pool["found"], chosen, pool["best"])]
        lines.append(f"| {title(name)} | {' | '.join(cells)} |")
    also = ", which also chose the checkpoint" if chosen_by_dev(run) else ""
    return (
        f"## Evaluation Results\n\nThe first {pool['depth']} of {pool['by']} for each query of dev"
        f" ({dev['origin']}: {dev['queries']:,} queries, {dev['skills']:,} skills){also}; nothing"
        " was measured on a test split.\n\n" + "\n".join(lines)
    )
