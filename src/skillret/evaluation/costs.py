"""What a system costs, and the file beside a run that tells it: TREC runs have no room for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from skillret._version import __version__
from skillret.errors import InputError
from skillret.files import parse_json, read_text, write_text

__all__ = ["About", "Cost", "about_file", "model_bytes", "read_about", "timed", "write_about"]

_WEIGHTS = (".onnx", ".data", ".npz", ".safetensors", ".bin")
_MOST = 1 << 20  # characters of such a file


@dataclass(frozen=True, slots=True)
class Cost:
    """What answering took.

    Attributes:
        ms_per_query: Wall-clock milliseconds a query, searched in blocks, on whatever machine it
            was: to be compared with runs of the same machine alone.
        model_bytes: Bytes of the weights; 0 without a model, None where they are not known.
    """

    ms_per_query: float
    model_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class About:
    """What made a run.

    Attributes:
        system: What people call it.
        cost: What it took.
        notes: What a reader of its figures should know.
    """

    system: str
    cost: Cost
    notes: tuple[str, ...] = ()


def timed(search: Callable[[], Any], n_queries: int) -> tuple[Any, float]:
    """What a search returns, and milliseconds a query."""
    start = perf_counter()
    found = search()
    return found, 1000 * (perf_counter() - start) / max(1, n_queries)


def model_bytes(model: object) -> int | None:
    """Bytes of the weights of an encoder or a reranker; None if it does not say where they are."""
    folder = getattr(model, "folder", None)
    if isinstance(folder, Path) and folder.is_dir():
        return sum(f.stat().st_size for f in folder.rglob("*") if f.suffix in _WEIGHTS) or None
    loaded: Any = getattr(model, "model", None)
    if hasattr(loaded, "parameters"):  # of torch
        return int(sum(p.numel() * p.element_size() for p in loaded.parameters()))
    return None


def about_file(run: Path) -> Path:
    """Where what made a run is told."""
    return run.with_name(run.name + ".json")


def write_about(run: Path, about: About) -> None:
    """Write what made a run beside it.

    Raises:
        SkillretError: If the file cannot be written.
    """
    document = {"system": about.system, "run_sha256": _digest(run), **about.cost.to_json()}
    document |= {"notes": about.notes, "skillret": __version__}
    write_text(about_file(run), json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def read_about(run: Path) -> About | None:
    """What made a run; None if nothing beside it tells.

    Raises:
        InputError: If what lies beside it is of another run.
    """
    file = about_file(run)
    try:
        found = parse_json(read_text(file, _MOST))
        size, digest = found["model_bytes"], found["run_sha256"]
        cost = Cost(float(found["ms_per_query"]), None if size is None else int(size))
        about = About(str(found["system"]), cost, tuple(map(str, found["notes"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if digest != _digest(run):
        raise InputError(
            f"{file} is of another run than {run.name}: delete it, or evaluate again with --run"
        )
    return about


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as e:
        raise InputError(f"{file} cannot be read: {e.strerror}") from None
