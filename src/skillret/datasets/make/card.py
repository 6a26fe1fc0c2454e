"""Step `card`: the data set itself, and a README that says how it was made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skillret._version import __version__
from skillret.datasets.make.config import ENDPOINTS, Config
from skillret.datasets.make.examples import take_out
from skillret.datasets.make.filtering import licence_of
from skillret.datasets.make.library import TESTS
from skillret.datasets.make.reviews import agreement
from skillret.datasets.make.sampling import MISS, REQUEST
from skillret.datasets.make.step import Context, Result
from skillret.datasets.row_files import Row, write_rows
from skillret.datasets.source import TABLES
from skillret.errors import DatasetError
from skillret.files import write_text

__all__ = ["write_dataset"]

_OWN = (TESTS, "group")  # columns of the steps alone
_GIVEN, _OTHER = 2, 1  # grades


def write_dataset(context: Context, reports: Mapping[str, Mapping[str, Any]]) -> Result:
    """Write the tables of every split and the card.

    Args:
        context: As for every step.
        reports: Of the earlier steps, by name.

    Raises:
        DatasetError: If a split has no request.
        SkillretError: If a file cannot be written.
    """
    more: dict[str, Row] = defaultdict(dict)
    for step in ("tag", "taxonomy", "split"):
        for row in context.rows(step):
            more[row["id"]] |= row
    requests = context.rows("review")
    quoted: dict[str, list[str]] = defaultdict(list)
    for row in requests:
        for id_ in row["skill_ids"]:
            quoted[id_] += row.get("quoted", ())
    tables: dict[str, dict[str, list[Row]]] = defaultdict(lambda: {t: [] for t in TABLES})
    names: dict[str, str] = {}
    for skill in context.rows("filter"):
        names[skill["id"]] = skill["name"]
        row = {k: v for k, v in {**skill, **more[skill["id"]]}.items() if k not in _OWN}
        row["skill_md"] = take_out(row["skill_md"], quoted[skill["id"]])
        tables[row.pop("split")]["skills"].append(row)
    for request in requests:
        _add_request(tables[request["split"]], request, names, context.config)
    for split, parts in tables.items():
        if not parts["queries"]:
            raise DatasetError(
                f"no request is left for the split {split}: steps/check.dropped.jsonl says why"
            )
    _write(context.folder / "data", tables)
    result = Result(unit="file")
    result.rows = [
        {"split": split, **{table: len(rows) for table, rows in parts.items()}}
        for split, parts in sorted(tables.items())
    ]
    write_text(context.folder / "README.md", _card(context, tables, reports))
    result.unit = "split"
    result.facts = {t: sum(row[t] for row in result.rows) for t in TABLES}
    return result


def _add_request(
    parts: dict[str, list[Row]], request: Row, names: Mapping[str, str], config: Config
) -> None:
    columns = ("kind", "style", "language", "generator_model", "reviews")
    said = {c: request[c] for c in columns if c in request}
    row: Row = {"id": request["id"], "query": request["query"]}
    if request["plan"] != REQUEST:
        near = {"negative_for": request["skill_ids"]} if request["plan"] == MISS else {}
        parts["negatives"].append({**row, **near, **said})
        return
    gold, also = request["skill_ids"], request.get("also") or []
    other = {"also": also} if also else {}
    skills = {"skill_ids": gold, "skill_names": [names[g] for g in gold], "k": len(gold)}
    parts["queries"].append({**row, **skills, **said, **other})
    labels = [(g, _GIVEN if config.check.graded else 1) for g in gold]
    if config.check.graded:
        labels += [(o, _OTHER) for o in also]
    parts["qrels"] += [
        {"query_id": request["id"], "skill_id": id_, "relevance": grade} for id_, grade in labels
    ]


def _write(folder: Path, tables: Mapping[str, Mapping[str, list[Row]]]) -> None:
    written = set()
    for split, parts in tables.items():
        for table, rows in parts.items():
            if rows or table != "negatives":
                file = folder / table / f"{split}.jsonl.gz"
                write_rows(file, rows)
                written.add(file)
    for table in TABLES:  # of splits that an earlier configuration had
        for file in (folder / table).glob("*.jsonl.gz"):
            if file not in written:
                file.unlink()


def _card(
    context: Context,
    tables: Mapping[str, Mapping[str, list[Row]]],
    reports: Mapping[str, Mapping[str, Any]],
) -> str:
    config = context.config
    lines = [f"# {config.name}", ""]
    lines += [
        f"A benchmark of skill retrieval in SkillRet layout, made by skillret {__version__}"
        " (`skillret data make`) after section 3 of arXiv:2605.05726.",
        "",
        *_table(
            ("split", "skills", "requests", "labels", "negatives"),
            [(s, *(f"{len(parts[t]):,}" for t in TABLES)) for s, parts in sorted(tables.items())],
        ),
        "",
        "`data/skills`, `data/queries`, `data/qrels` and `data/negatives` hold one file a split."
        " `also` names skills that would do as well.",
        "",
        "## Requests",
        "",
    ]
    asked = [q for parts in tables.values() for q in (*parts["queries"], *parts["negatives"])]
    if any(q["kind"].startswith("template-") for q in asked):
        lines += [
            "Requests whose `kind` begins with `template-` were written by no model and, but for"
            " `template-own-test` and `template-example`, by no person: they are made of the"
            " descriptions of their skills and share their words. **Search by words has it easier"
            " with them than with what people ask.**",
            "",
        ]
    for column in ("kind", "k", "style", "language", "generator_model"):
        count = Counter(str(q[column]) for q in asked if column in q)
        lines += [f"- {column}: {_counts(count)}"]
    lines += ["", "## Steps", ""]
    rows = [(name, report["summary"]) for name, report in reports.items()]
    lines += _table(("step", "what was left"), rows)
    lines += ["", "## Skills", ""]
    skills = [s for parts in tables.values() for s in parts["skills"]]
    lines += [f"- licences: {_counts(Counter(licence_of(s) for s in skills))}"]
    lines += [f"- repositories: {len({s['repo'] for s in skills}):,}"]
    sorted_into = Counter(" / ".join((s["major"], s["sub"])) for s in skills)
    lines += [f"- categories: {_counts(sorted_into)}"]
    lines += ["", "Skills belong to their authors; the licence of each stands in its row.", ""]
    lines += ["## Review", ""]
    lines += [f"- {line}" for line in agreement(context.folder)] or ["No two people reviewed it."]
    lines += ["", "## Models", "", *_models(context), ""]
    lines += [f"Seed {config.seed}. The skills' texts are untrusted: they are data, not advice."]
    return "\n".join(lines) + "\n"


def _models(context: Context) -> list[str]:
    config = context.config
    roles = [(role, getattr(config, role)) for role in ENDPOINTS]
    lines = [f"- {role}: {end.name} ({end.kind})" for role, end in roles if end.kind]
    if not lines:
        return ["None: everything is made of what the skills' authors wrote."]
    if context.ledger is not None:
        lines += [f"- {line}" for line in context.ledger.report()]
    from skillret.datasets.make.models.prompts import prompt_hashes

    return lines + [f"- prompt `{name}`: {digest}" for name, digest in prompt_hashes().items()]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    form = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in form]


def _counts(count: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(count.items())) or "none"
