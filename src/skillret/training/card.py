"""The model card, in the shape of the published one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from skillret.training.recipe import Recipe

__all__ = [
    "CITATION",
    "addressed",
    "advice",
    "base_name",
    "chosen_by_dev",
    "details",
    "front_matter",
    "limits",
    "logs",
    "title",
    "versions",
    "write_card",
]

_FRONT = """\
---
library_name: sentence-transformers
pipeline_tag: {task}
tags:
- sentence-transformers
- {tag}
- skill-retrieval
base_model: {base}
---

"""
_DOES = """\
This model retrieves agent skills for natural-language queries. It is one part of a system: it
returns candidates and does not decide whether a query needs a skill at all."""
CITATION = """\
## Citation

```bibtex
@article{cho2026skillret,
  title = {SkillRet: A Large-Scale Benchmark for Skill Retrieval in LLM Agents},
  author = {Cho, Hongcheol and Kang, Ryangkyung and Kim, Youngeun},
  journal = {arXiv preprint arXiv:2605.05726},
  year = {2026},
  url = {https://arxiv.org/abs/2605.05726}
}
```
"""


def write_card(
    recipe: Recipe,
    run: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    best: int | None,
) -> str:
    """The card of a trained model as Markdown with front matter.

    Args:
        recipe: What was asked for.
        run: The contents of `run.json`.
        rows: Of `skillret.training.log.log_rows`.
        best: Step of the checkpoint that was kept; None if none was chosen.
    """
    base = base_name(recipe)
    parts = [
        front_matter(recipe, "sentence-similarity", "feature-extraction"),
        f"This is a [sentence-transformers](https://www.SBERT.net) model fine-tuned for AI agent"
        f" skill retrieval. Given a natural-language user query, it retrieves the relevant agent"
        f" skills from a library.\n\nIt is fine-tuned from {base} on {run['data']['data']} with"
        f" contrastive learning (multiple-negatives ranking loss).",
        _usage(recipe),
        _details(recipe, run),
        logs(recipe, rows, best),
        _results(run, rows),
        limits(run, _DOES),
        versions(run),
        CITATION,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def front_matter(recipe: Recipe, task: str, tag: str) -> str:
    """What a hub reads of a card, and the title."""
    base = base_name(recipe)
    front = _FRONT.format(task=task, tag=tag, base=base)
    if not _is_hub_id(base):
        front = "\n".join(line for line in front.split("\n") if not line.startswith("base_model"))
    return f"{front}# {recipe.name}"


def addressed(card: str, name: str, address: str) -> str:
    """The card with `address` in its usage code, where it was written with the model's name."""
    usages = ('SentenceTransformer("', '")'), ('CrossEncoder("', '"'), ("--model ", "\n")
    for before, after in (*usages, ("--rerank ", "\n")):
        card = card.replace(f"{before}{name}{after}", f"{before}{address}{after}")
    return card.replace(advice(name), "")


def advice(name: str) -> str:
    """How to use usage code that has no address yet."""
    return f"Put this folder's path, or its id on a hub, in place of `{name}`. "


def base_name(recipe: Recipe) -> str:
    """What the base model is called: its hub id, or its folder's own name."""
    if recipe.model.base_name:
        return recipe.model.base_name
    # A folder above a model is nobody's business.
    return recipe.model.base if _is_hub_id(recipe.model.base) else PurePath(recipe.model.base).name


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith(("/", ".", "~"))


def _usage(recipe: Recipe) -> str:
    return f"""\
## Usage

### Sentence Transformers

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{recipe.name}")

query_prompt = {json.dumps(recipe.model.query_prompt, ensure_ascii=False)}
queries = [
    query_prompt + "Help me set up a CI/CD pipeline for my Python project"
]
skills = [
    "ci-cd-setup | Configure continuous integration and deployment pipelines ...",
    "python-debugging | Debug Python applications using pdb and logging ...",
]

q_emb = model.encode(queries, normalize_embeddings=True)
s_emb = model.encode(skills, normalize_embeddings=True)
similarities = q_emb @ s_emb.T
print(similarities)
```

{advice(recipe.name)}A document is `{recipe.model.template}`{_document_prompt(recipe)}.

### skillret

```bash
skillret search "Help me set up a CI/CD pipeline for my Python project" --model {recipe.name}
```"""


def _document_prompt(recipe: Recipe) -> str:
    prompt = recipe.model.document_prompt
    return f", put after {json.dumps(prompt, ensure_ascii=False)}" if prompt else ""


def _details(recipe: Recipe, run: Mapping[str, Any]) -> str:
    device = run["device"]
    loss = f"MultipleNegativesRankingLoss (InfoNCE, cosine, scale {recipe.loss.scale:g})"
    if device["processes"] > 1 and recipe.loss.gather:
        loss += " with negatives shared across devices"
    masked = {
        "none": "none",
        "skill": "the same skill",
        "gold": "all gold skills of the query",
        "duplicates": "all gold skills of the query and their near-duplicates",
    }[recipe.loss.mask]
    lines = [
        f"Loss: {loss}",
        f"In-batch columns that are no negatives: {masked}",
    ]
    if recipe.loss.mini_batch_size:
        lines.append(f"Gradient caching: mini-batches of {recipe.loss.mini_batch_size}")
    if recipe.loss.matryoshka:
        lines.append(f"Matryoshka dimensions: {', '.join(map(str, recipe.loss.matryoshka))}")
    if recipe.negatives.per_pair:
        sources = " and ".join(recipe.negatives.sources)
        lines.append(f"Hard negatives: {recipe.negatives.per_pair} per pair, from {sources}")
    if recipe.distill.teacher:
        teacher = PurePath(recipe.distill.teacher).name
        lines.append(f"Distillation: {recipe.distill.target} of {teacher}")
    return details(recipe, run, lines)


def details(recipe: Recipe, run: Mapping[str, Any], loss: Sequence[str]) -> str:
    """How the model was trained; `loss` says what is particular to its kind."""
    data, device, train = run["data"], run["device"], recipe.train
    parts = f"{train.batch_size} per device x {device['processes']}"
    if train.accumulate > 1:
        parts += f" x {train.accumulate} accumulated"
    lines = [
        f"Base model: {base_name(recipe)} ({_millions(run['base']['parameters'])} parameters)",
        f"Training data: {data['data']}, revision {data['revision']} ({data['pairs']:,} query-skill"
        f" pairs from {data['queries']:,} queries and {data['skills']:,} skills)",
        *loss,
        f"Hardware: {device['processes']} x {device['name']}",
        f"Effective batch size: {train.batch_size * device['processes'] * train.accumulate}"
        f" ({parts})",
        f"Max sequence length: {recipe.model.max_tokens:,} tokens",
        f"Learning rate: {train.learning_rate:g}, {train.warmup:.0%} warm-up, {train.schedule}",
        f"Steps: {run['result']['steps']} ({run['result']['epochs']:.2f} epochs)",
        f"Training time: {_duration(run['result']['seconds'])}",
        f"Precision: {train.precision.upper()}",
        f"Seed: {train.seed}",
    ]
    return "## Training Details\n\n" + "\n".join(f"- {line}" for line in lines)


def logs(recipe: Recipe, rows: Sequence[Mapping[str, Any]], best: int | None) -> str:
    """Loss and dev metric by step."""
    metric = recipe.evaluate.metric
    lines = [f"| Epoch | Step | Training Loss | {title(metric)} |", "|---|---|---|---|"]
    for row in rows:
        loss = f"{row['loss']:.4f}" if "loss" in row else "-"
        score = f"{row[metric]:.4f}" if metric in row else "-"
        cells = [f"{row['epoch']:.2f}", str(row["step"]), loss, score]
        if row["step"] == best:
            cells = [f"**{c}**" for c in cells]
        lines.append(f"| {' | '.join(cells)} |")
    which = "Best checkpoint" if recipe.evaluate.keep == "best" else "Last checkpoint, kept"
    chosen = ", chosen on dev" if recipe.evaluate.keep == "best" else ""
    note = f"\n\n{which} at step {best} (bold row){chosen}." if best else ""
    return "## Training Logs\n\n" + "\n".join(lines) + note


def _results(run: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    dev = run["data"]["dev"]
    chosen = run["result"]["dev"]
    before = next((r for r in rows if r["step"] == 0), {})
    lines = ["| Metric | @5 | @10 | @15 |", "|---|---|---|---|"]
    for name in ("ndcg", "recall", "completeness"):
        cells = [f"{chosen[f'{name}@{k}']:.4f}" for k in (5, 10, 15)]
        lines.append(f"| {title(name)} | {' | '.join(cells)} |")
    if "ndcg@5" in before:
        cells = [f"{before[f'ndcg@{k}']:.4f}" for k in (5, 10, 15)]
        lines.append(f"| NDCG before training | {' | '.join(cells)} |")
    also = ", which also chose the checkpoint" if chosen_by_dev(run) else ""
    return (
        f"## Evaluation Results\n\nEvaluated on dev ({dev['origin']}: {dev['queries']:,} queries,"
        f" {dev['skills']:,} skills){also}; nothing was measured on a test split."
        " Exact search by cosine.\n\n" + "\n".join(lines)
    )


def chosen_by_dev(run: Mapping[str, Any]) -> bool:
    """Whether dev chose the checkpoint."""
    return bool(run["recipe"]["evaluate"]["keep"] == "best")


def limits(run: Mapping[str, Any], does: str) -> str:
    """What it is for; `does` says what a model of its kind does, and what not."""
    chose = "split that chose the checkpoint" if chosen_by_dev(run) else "dev split"
    return f"""\
## Intended Use

{does}

## Limitations

- Performance may vary on domains and languages outside {run["data"]["data"]}.
- The figures above are from the {chose}; expect a little less elsewhere.
- The model finds skills but does not execute them."""


def versions(run: Mapping[str, Any]) -> str:
    """What it was trained with."""
    lines = [f"- {name}: {version}" for name, version in run["versions"].items()]
    return "## Framework Versions\n\n" + "\n".join(lines)


def title(metric: str) -> str:
    """A metric as cards write it."""
    name, at, k = metric.partition("@")
    shown = {"ndcg": "NDCG", "map": "MAP"}.get(name, name.capitalize())
    return shown + at + k


def _millions(count: int) -> str:
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.3g}M"


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{minutes:.1f} minutes"
