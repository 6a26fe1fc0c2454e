"""Runs: what a system returned for every query, in TREC format in and out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skillret.datasets.row_files import read_lines
from skillret.errors import DatasetError, InputError
from skillret.files import write_text

__all__ = ["Run", "check_ids", "check_run", "order", "read_run", "write_run"]

# Skill id and score, best first, by query id.
Run = dict[str, list[tuple[str, float]]]


def order(run: Mapping[str, Sequence[tuple[str, float]]]) -> dict[str, list[str]]:
    """Skill ids by query id: what metrics look at."""
    return {query: [id_ for id_, _ in hits] for query, hits in run.items()}


def check_ids(ids: Iterable[str]) -> None:
    """Make sure that ids fit into a TREC run.

    Raises:
        InputError: If one holds white space.
    """
    for id_ in ids:
        if len(id_.split()) != 1:
            raise InputError(f"the id {id_!r} holds white space: no TREC run can hold it")


def write_run(run: Mapping[str, Sequence[tuple[str, float]]], file: Path, tag: str) -> None:
    """Write `query Q0 skill rank score tag` lines.

    Raises:
        InputError: If an id holds white space.
        SkillretError: If the file cannot be written.
    """
    check_ids({*run, *(id_ for hits in run.values() for id_, _ in hits)})
    lines = []
    for query, hits in run.items():
        for rank, (id_, score) in enumerate(hits, start=1):
            lines.append(f"{query} Q0 {id_} {rank} {score:.9g} {tag}\n")
    write_text(file, "".join(lines))


def read_run(file: Path) -> Run:
    """Read a TREC run: ordered by score; equal scores keep the order of their ranks.

    Raises:
        InputError: If the file is missing or a line is malformed.
    """
    found: dict[str, list[tuple[float, float, str]]] = {}
    try:
        for number, line in enumerate(read_lines(file), start=1):
            if not line.strip():
                continue
            try:
                query, _, id_, rank, score, _ = line.split(maxsplit=6)
                entry = (-float(score), float(rank), id_)
            except ValueError:
                raise InputError(
                    f"{file}, line {number}: not `query Q0 skill rank score tag`"
                ) from None
            if math.isnan(entry[0]) or math.isnan(entry[1]):
                raise InputError(f"{file}, line {number}: score or rank is not a number")
            found.setdefault(query, []).append(entry)
    except DatasetError as e:
        raise InputError(str(e)) from None
    if not found:
        raise InputError(f"{file} is empty")
    return {
        query: [(id_, -score) for score, _, id_ in sorted(hits, key=lambda h: h[:2])]
        for query, hits in found.items()
    }


def check_run(run: Run, queries: Iterable[str], skills: Iterable[str], name: str) -> list[str]:
    """Notes on what a run lacks.

    Raises:
        InputError: If it shares no query with a data set or names skills that are not in it.
    """
    wanted, known = set(queries), set(skills)
    unknown = sorted({id_ for hits in run.values() for id_, _ in hits} - known)
    if not wanted & set(run) or unknown:
        detail = f"the skill {unknown[0]!r} is not in it" if unknown else "they share no query"
        raise InputError(f"{name} is a run of another data set: {detail}")
    lacking = len(wanted - set(run))
    return [f"{name} lacks {lacking} of {len(wanted)} queries; they count as 0"] if lacking else []
