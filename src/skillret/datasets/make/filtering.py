"""Step `filter`: which skills of the library a benchmark is made of."""

from __future__ import annotations

import hashlib
import re

from skillret.datasets.duplicates import near_duplicate_groups
from skillret.datasets.make.config import FilterSection
from skillret.datasets.make.library import LibraryRows
from skillret.datasets.make.step import Result
from skillret.datasets.row_files import Row
from skillret.lexical.language import language

__all__ = ["filter_skills", "licence_of"]

_WORDS = re.compile(r"\w+")
_LICENCES = {
    "MIT": r"\bmit\b",
    "Apache-2.0": r"\bapache(?:[- ]?(?:license|licence))?,?[- ]*(?:version )?2",
    "BSD": r"\bbsd\b",
    "GPL": r"\b[al]?gpl\b",
    "CC": r"\b(?:cc[- ]by|creative commons|cc0)\b",
    "MPL-2.0": r"\bmpl\b|\bmozilla public\b",
    "proprietary": r"\bpropriet|\ball rights reserved\b",
}


def licence_of(row: Row) -> str:
    """The licence that a skill's front matter names, by its usual short name."""
    text = str(row.get("license") or "").strip().lower()
    if not text:
        return "none named"
    return next((name for name, form in _LICENCES.items() if re.search(form, text)), "other")


def filter_skills(library: LibraryRows, section: FilterSection) -> Result:
    """Drop skills by the paper's five filters and near-duplicates; the first of its kind stays."""
    result = Result(unit="skill", dropped=list(library.dropped))
    bodies: dict[bytes, str] = {}
    described: dict[bytes, str] = {}
    for row in library.rows:
        reason = _fault(row, section)
        body = _hash(row["skill_md"])
        name = _hash(f"{row['name']} {row['description']}")
        if reason is not None:
            result.drop(row["id"], reason)
        elif body in bodies:
            result.drop(row["id"], "same body", of=bodies[body])
        elif name in described:
            result.drop(row["id"], "same name and description", of=described[name])
        else:
            bodies[body] = described[name] = row["id"]
            result.rows.append(row)
    texts = [f"{r['description']} {r['skill_md']}" for r in result.rows]
    groups = near_duplicate_groups(len(texts), texts.__getitem__, section.jaccard).tolist()
    rows, result.rows = result.rows, []
    for number, (row, group) in enumerate(zip(rows, groups, strict=True)):
        if group != number and section.near_duplicates == "drop":
            result.drop(row["id"], "near-duplicate", of=rows[group]["id"])
        else:
            result.rows.append({**row, "group": rows[group]["id"]})
    return result


def _fault(row: Row, section: FilterSection) -> str | None:
    description = row["description"].strip()
    if len(description) < section.min_description:
        return "description too short"
    if not row["skill_md"].strip():
        return "no instructions"
    if section.licences and licence_of(row) not in section.licences:
        return f"licence: {licence_of(row)}"
    if section.languages:
        spoken = language(description) or "English"
        if spoken not in section.languages:
            return f"language: {spoken}"
        text = f"{row['name']} {description} {row['skill_md']}"
        letters = [c for c in text if c.isalpha()]
        foreign = sum(not c.isascii() for c in letters)
        if section.languages == ("English",) and foreign > section.max_foreign * len(letters):
            return "language: foreign letters"
    return None


def _hash(text: str) -> bytes:
    """A hash that texts share which differ in case, punctuation and white space only."""
    return hashlib.sha256(" ".join(_WORDS.findall(text.lower())).encode()).digest()
