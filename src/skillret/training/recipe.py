"""Recipes: a training run as a TOML file, checked completely before anything heavy is imported.

A recipe has the sections of `skillret.training.sections`; every key has a default.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from skillret.errors import InputError
from skillret.toml_keys import convert, listed
from skillret.training.sections import (
    KINDS,
    DataSection,
    DistillSection,
    EvaluateSection,
    LossSection,
    ModelSection,
    NegativesSection,
    OutputSection,
    QueryTokensSection,
    TrainSection,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "Recipe",
    "load_query_tokens",
    "load_recipe",
    "parse_recipe",
]

_S = TypeVar("_S")
_PLAIN = {"name", "kind"}  # keys that are no sections


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training run, completely: two runs of equal recipe, data and versions do the same.

    Attributes:
        name: Of the run and its model.
        kind: What is trained: `embedding` or `reranker`.
    """

    name: str
    kind: str = "embedding"
    model: ModelSection = field(default_factory=ModelSection)
    data: DataSection = field(default_factory=DataSection)
    train: TrainSection = field(default_factory=TrainSection)
    loss: LossSection = field(default_factory=LossSection)
    negatives: NegativesSection = field(default_factory=NegativesSection)
    distill: DistillSection = field(default_factory=DistillSection)
    evaluate: EvaluateSection = field(default_factory=EvaluateSection)
    output: OutputSection = field(default_factory=OutputSection)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON types, defaults included, without keys of the other kind."""
        document = dataclasses.asdict(self)
        for section in (f for f in dataclasses.fields(self) if f.name not in _PLAIN):
            table = document[section.name]
            for key in dataclasses.fields(getattr(self, section.name)):
                if key.metadata.get("only", self.kind) != self.kind:
                    del table[key.name]
        return {name: value for name, value in document.items() if value != {}}


def load_recipe(file: Path, overrides: Sequence[str] = (), kind: str | None = None) -> Recipe:
    """Read and check a recipe.

    Args:
        file: A TOML file.
        overrides: `section.key=value` each; a value is TOML, or else plain text.
        kind: What is to be trained, where the file does not say.

    Raises:
        InputError: If the file is missing or no TOML, or a key or value is at fault.
    """
    table = _read(file, overrides)
    if kind is not None and table.setdefault("kind", kind) != kind:
        raise InputError(f"the recipe {file} is of kind {table['kind']!r}, not {kind!r}")
    return parse_recipe(table, file.stem)


def load_query_tokens(file: Path, overrides: Sequence[str] = ()) -> QueryTokensSection:
    """Read and check a recipe that has a section `query_tokens` and nothing else.

    Args:
        file: A TOML file.
        overrides: `query_tokens.key=value` each.

    Raises:
        InputError: As `load_recipe`.
    """
    section = "query_tokens"
    table = _read(file, overrides)
    for key in table:
        if key != section:
            raise InputError(f"recipe: unknown section {key!r}; one of query tokens has {section}")
    found = _section(QueryTokensSection, section, table.get(section, {}), section)
    if found.dev_split == found.train_split:
        raise InputError(
            f"recipe: {section}.dev_split is {found.dev_split!r}, the split it trains on; allowed:"
            " another one"
        )
    return found


def parse_recipe(table: Mapping[str, Any], name: str) -> Recipe:
    """Check a parsed recipe.

    Args:
        table: As TOML parses it.
        name: The run's name, unless the recipe gives one.

    Raises:
        InputError: Naming the key, what was given and what is allowed.
    """
    sections = {f.name for f in dataclasses.fields(Recipe)} - _PLAIN
    for key in table:
        if key not in sections | _PLAIN:
            raise InputError(
                f"recipe: unknown section {key!r}; it has {listed(sections)}"
                + ("; scripts/train_query_tokens.py trains these" if key == "query_tokens" else "")
            )
    kind = table.get("kind", KINDS[0])
    if kind not in KINDS:
        raise InputError(f"recipe: kind is {kind!r}; allowed: {' or '.join(map(repr, KINDS))}")
    given = table.get("name", name)
    if not isinstance(given, str) or not re.fullmatch(r"[\w.-]+", given):
        raise InputError(f"recipe: name is {given!r}; allowed: letters, digits, '.', '-' and '_'")
    hints = get_type_hints(Recipe)
    parts = {s: _section(hints[s], s, table.get(s, {}), kind) for s in sections}
    recipe = Recipe(given, kind, **parts)
    _check_together(recipe)
    return recipe


def _read(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """A recipe as TOML parses it, with what is set instead."""
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(f"cannot read the recipe {file}: {e.strerror or e}") from None
    except (ValueError, RecursionError) as e:  # also numbers of thousands of digits
        raise InputError(f"the recipe {file} is not TOML: {e}") from None
    for override in overrides:
        _override(table, override)
    return table


def _override(table: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    section, dot, key = path.strip().partition(".")
    if not equals or not dot or not section or not key:
        raise InputError(f"--set {override!r} is not of the form section.key=value")
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    part = table.setdefault(section, {})
    if isinstance(part, dict):
        part[key] = value


def _section(cls: type[_S], section: str, given: object, kind: str) -> _S:
    if not isinstance(given, Mapping):
        raise InputError(f"recipe: {section} is {given!r}; it must be a section [{section}]")
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    values = {k: f.metadata[kind] for k, f in known.items() if kind in f.metadata}
    for key, value in given.items():
        if key not in known:
            fitting = [k for k, f in known.items() if f.metadata.get("only", kind) == kind]
            raise InputError(f"recipe: unknown key {section}.{key}; known: {listed(fitting)}")
        meta = known[key].metadata
        if meta.get("only", kind) != kind:
            raise InputError(
                f"recipe: {section}.{key} is for recipes of kind {meta['only']!r}; this one is of"
                f" kind {kind!r}"
            )
        converted, ok = convert(value, hints[key])
        if not ok or not meta["check"](converted):
            raise InputError(f"recipe: {section}.{key} is {value!r}; allowed: {meta['allowed']}")
        values[key] = converted
    return cls(**values)


def _check_together(recipe: Recipe) -> None:
    """Values that are fine alone and impossible together."""
    if recipe.data.dev_split == recipe.data.train_split:
        raise InputError(
            f"recipe: data.dev_split is {recipe.data.dev_split!r}, the split it trains on; allowed:"
            " another one"
        )
    if recipe.negatives.last_rank < recipe.negatives.first_rank:
        raise InputError(
            f"recipe: negatives.last_rank is {recipe.negatives.last_rank}; allowed: at least"
            f" negatives.first_rank, {recipe.negatives.first_rank}"
        )
    _check_sources(recipe)
    if recipe.distill.teacher and recipe.loss.matryoshka and recipe.distill.target == "embeddings":
        raise InputError(
            "recipe: distill.target is 'embeddings'; with loss.matryoshka allowed: 'scores' or"
            " 'margins', as a cut vector has no counterpart in the teacher"
        )
    if recipe.loss.late_interaction and (recipe.loss.matryoshka or recipe.loss.mini_batch_size):
        raise InputError(
            f"recipe: loss.late_interaction is {recipe.loss.late_interaction}; with loss.matryoshka"
            " or loss.mini_batch_size allowed: 0, as tokens are compared at their full size and at"
            " once"
        )
    if recipe.train.device == "cpu" and recipe.train.precision == "fp16":
        raise InputError("recipe: train.precision is 'fp16'; on a CPU allowed: 'fp32' or 'bf16'")
    batch, mini = recipe.train.batch_size, recipe.loss.mini_batch_size
    if recipe.kind == "embedding" and batch < 2:
        raise InputError(
            f"recipe: train.batch_size is {batch}; allowed: a whole number of at least 2"
        )
    if mini > batch:
        raise InputError(
            f"recipe: loss.mini_batch_size is {mini}; allowed: at most train.batch_size, {batch}"
        )


def _check_sources(recipe: Recipe) -> None:
    """Where negatives come from must be there."""
    section = recipe.negatives
    if ("run" in section.sources) != bool(section.run):
        raise InputError(
            f"recipe: negatives.run is {section.run!r} and negatives.sources"
            f" {list(section.sources)}; a run is a file and one of the sources, or neither"
        )
    if recipe.kind == "embedding":
        return
    if not section.per_pair:
        raise InputError("recipe: negatives.per_pair is 0; a reranker learns from at least 1")
    if "encoder" in section.sources and not section.encoder:
        raise InputError(
            "recipe: negatives.sources has 'encoder' and negatives.encoder is empty; name the model"
            " that mines, as a reranker has no vectors of its own"
        )
