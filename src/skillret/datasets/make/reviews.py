"""Step `review`: what people say of the requests, and how far two of them agree."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from skillret.datasets.make.step import Context, Result
from skillret.datasets.row_files import Row
from skillret.errors import InputError, SkillretError
from skillret.files import parse_json

__all__ = [
    "DECISIONS",
    "agreement",
    "apply_reviews",
    "cohen_kappa",
    "read_reviews",
    "review_files",
    "store_decision",
]

DECISIONS = ("accept", "correct", "reject")
_REVIEWER = re.compile(r"[\w-]{1,40}")
_MOST = 4000  # characters of a corrected request
_FOLDER = "reviews"


def review_files(folder: Path) -> list[Path]:
    """The files of decisions, one a reviewer, in order of name."""
    return sorted((folder / _FOLDER).glob("*.jsonl"))


def store_decision(folder: Path, reviewer: str, decision: Mapping[str, Any]) -> Row:
    """Put a decision behind those that the reviewer has made; it is on the disk then.

    Args:
        folder: Of the benchmark.
        reviewer: Letters, digits, `-` and `_`.
        decision: `id`, `decision` (one of `DECISIONS`), and `query` where it is a correction.

    Returns:
        The row that was stored.

    Raises:
        InputError: If it is no decision.
        SkillretError: If it cannot be written.
    """
    row: Row = {"id": decision.get("id"), "decision": decision.get("decision")}
    if not isinstance(row["id"], str) or row["decision"] not in DECISIONS:
        raise InputError(f"a decision has an id and is one of {', '.join(DECISIONS)}")
    if row["decision"] == "correct":
        query = decision.get("query")
        if not isinstance(query, str) or not query.strip() or len(query) > _MOST:
            raise InputError(f"a corrected request is a text of at most {_MOST} characters")
        row["query"] = query.strip()
    file = decisions_file(folder, reviewer)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as out:
            # A line that a kill cut off stays by itself.
            torn = out.tell() > 0 and not _ends_whole(file)
            out.write(b"\n" * torn + json.dumps(row, ensure_ascii=False).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as e:
        raise SkillretError(f"cannot write {file}: {e.strerror or e}") from None
    return row


def _ends_whole(file: Path) -> bool:
    with file.open("rb") as data:
        data.seek(-1, os.SEEK_END)
        return data.read(1) == b"\n"


def decisions_file(folder: Path, reviewer: str) -> Path:
    """Where the decisions of a reviewer are.

    Raises:
        InputError: If that is no name.
    """
    if not _REVIEWER.fullmatch(reviewer):
        raise InputError(
            f"--reviewer {reviewer!r} is no name: letters, digits, - and _, at most 40"
        )
    return folder / _FOLDER / f"{reviewer}.jsonl"


def read_reviews(folder: Path) -> dict[str, dict[str, Row]]:
    """The last decision of every reviewer on every request, by reviewer and id.

    Lines that are none, such as one that was cut off, are passed over.
    """
    reviews: dict[str, dict[str, Row]] = {}
    for file in review_files(folder):
        made: dict[str, Row] = {}
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = parse_json(line)
            except ValueError:
                continue
            if isinstance(row, dict) and row.get("decision") in DECISIONS:
                made[str(row.get("id"))] = row
        reviews[file.stem] = made
    return reviews


def cohen_kappa(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[float, int]:
    """Cohen's kappa (1960) of two reviewers, and how many requests both have judged.

    1 is full agreement, 0 that of chance; 1 where both say the same of everything, NaN of nothing.
    """
    both = sorted(a.keys() & b.keys())
    if not both:
        return float("nan"), 0
    observed = sum(a[i] == b[i] for i in both) / len(both)
    mine, other = Counter(a[i] for i in both), Counter(b[i] for i in both)
    chance = sum(mine[c] * other[c] for c in mine) / len(both) ** 2
    return (1.0 if chance == 1 else (observed - chance) / (1 - chance)), len(both)


def agreement(folder: Path) -> list[str]:
    """A line for every two reviewers."""
    reviews = read_reviews(folder)
    lines = []
    for a, b in combinations(reviews, 2):
        said = [{i: r["decision"] for i, r in reviews[name].items()} for name in (a, b)]
        kappa, both = cohen_kappa(*said)
        if both:
            lines.append(f"{a} and {b}: Cohen's kappa {kappa:.2f} on {both:,} requests")
    return lines


def apply_reviews(context: Context) -> Result:
    """Leave out what half of its reviewers or more reject; take the first correction of the rest.

    Reviewers come in order of their names. What nobody has looked at stays as it is.
    """
    result = Result(unit="request")
    said: dict[str, list[Row]] = defaultdict(list)
    for made in read_reviews(context.folder).values():
        for id_, row in made.items():
            said[id_].append(row)
    reviewed = corrected = 0
    for row in context.rows("check"):
        decisions = said.get(row["id"], [])
        rejected = sum(d["decision"] == "reject" for d in decisions)
        if decisions and 2 * rejected >= len(decisions):
            result.drop(row["id"], "rejected", query=row["query"])
            continue
        correction = next((d["query"] for d in decisions if d["decision"] == "correct"), None)
        reviewed += bool(decisions)
        corrected += correction is not None
        more = {"reviews": len(decisions)} if decisions else {}
        text = {"query": correction} if isinstance(correction, str) else {}
        result.rows.append({**row, **text, **more})
    result.facts = {"looked at by a person": reviewed}
    if corrected:
        result.facts["corrected"] = corrected
    return result
