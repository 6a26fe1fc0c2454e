"""The configuration of a benchmark in the making: a TOML file, every key with a default."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

from skillret.errors import InputError
from skillret.files import read_text
from skillret.toml_keys import (
    at_least_zero,
    choice,
    convert,
    flag,
    key,
    listed,
    share,
    text,
    whole,
)

__all__ = [
    "ENDPOINTS",
    "STYLES",
    "BudgetSection",
    "CheckSection",
    "Config",
    "EndpointSection",
    "FilterSection",
    "SampleSection",
    "SplitSection",
    "TagSection",
    "TaxonomySection",
    "WriteSection",
    "load_config",
    "parse_config",
]

_S = TypeVar("_S")
_MOST = 64 << 10  # bytes of a file
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
ENDPOINTS = ("model", "test_model", "judge")  # sections
_OWN_FIELDS = frozenset(
    "model messages system stream n max_tokens max_completion_tokens temperature".split()
)
_LOCAL = ("127.0.0.1", "::1", "localhost")

# How users write: what a writer is told, and the shortest and longest length in words.
STYLES: dict[str, tuple[str, int, int]] = {
    "plain": ("one or two plain sentences, as to a colleague", 8, 40),
    "terse": ("very short, no politeness, perhaps no verb; as typed in a hurry", 3, 14),
    "chatty": ("chatty and roundabout, with a detail or two that does not matter", 25, 80),
    "story": ("what happened so far, who is waiting for it and why; the wish comes late", 50, 130),
    "list": ("a short bulleted or numbered list of what is wanted", 15, 90),
    "error": ("a pasted error message, log lines or a piece of a file, then a short wish", 15, 120),
    "follow-up": ("the next turn of a conversation that is under way, as a reply", 5, 40),
    "non-native": ("by someone whose English is good enough but has slips in grammar", 8, 50),
}


def _weights(default: Mapping[str, float], *names: str) -> Any:
    """Positive weights by name; what they add up to does not matter."""

    def check(values: dict[str, float]) -> bool:
        known = not names or values.keys() <= set(names)
        return known and bool(values) and min(values.values()) >= 0 < sum(values.values())

    what = f" of {', '.join(names)}" if names else ""
    allowed = f"a table of weights{what}, not all 0"
    return field(
        default_factory=lambda: dict(default), metadata={"check": check, "allowed": allowed}
    )


def _names(*default: str) -> Any:
    return key(tuple(default), lambda v: all(map(str.strip, v)), "a list of texts")


@dataclass(frozen=True, slots=True)
class FilterSection:
    """Which skills stay.

    Attributes:
        languages: Of descriptions; empty for any.
        max_foreign: Share of letters beyond ASCII from which a skill is not English.
        min_description: Characters of a description.
        licences: Those that stay, as `MIT`; empty for any, and the card lists them.
        near_duplicates: `drop` all but the first, or `keep` them in one split.
        jaccard: Over word 5-grams, from which two skills are near-duplicates.
    """

    languages: tuple[str, ...] = _names("English")
    max_foreign: float = share(0.03)
    min_description: int = whole(10)
    licences: tuple[str, ...] = _names()
    near_duplicates: str = choice("drop", "drop", "keep")
    jaccard: float = share(0.5, zero=False)


@dataclass(frozen=True, slots=True)
class TagSection:
    """How skills are tagged by a model.

    Attributes:
        batch: Skills in one question.
        names: Names that labels are discovered from at most.
    """

    batch: int = whole(50, 1)
    names: int = whole(2000, 1)


@dataclass(frozen=True, slots=True)
class TaxonomySection:
    """What skills are sorted into.

    Attributes:
        source: `skillret` (6 groups with 18 parts), `file`, or `discover` (by a model).
        file: A TOML file like the packaged `texts/taxonomy.toml`.
        batch: Skills in one question.
    """

    source: str = choice("skillret", "skillret", "file", "discover")
    file: str = text()
    batch: int = whole(50, 1)


@dataclass(frozen=True, slots=True)
class SplitSection:
    """Which skills are in which split.

    Attributes:
        shares: Of the skills, by split.
        by: `repository` keeps those of one together, `skill` only near-duplicates.
    """

    shares: dict[str, float] = _weights({"test": 1.0})  # noqa: RUF009
    by: str = choice("repository", "repository", "skill")


@dataclass(frozen=True, slots=True)
class SampleSection:
    """Which requests are to be written.

    Attributes:
        per_skill: Requests that need skills, per skill of the split.
        requests: The same as a number for all splits; 0 for `per_skill`.
        sizes: How many skills they need, 1 to 3, by weight.
        cross_category: Share of further skills that come from another category.
        near_misses: Requests that only seem to need a skill, per request.
        needless: Messages that need no skill, per request.
    """

    per_skill: float = at_least_zero(1.0)
    requests: int = whole(0)
    sizes: dict[str, float] = _weights({"1": 0.5, "2": 0.3, "3": 0.2}, "1", "2", "3")  # noqa: RUF009
    cross_category: float = share(0.5)
    near_misses: float = share(0.1)
    needless: float = share(0.1)


@dataclass(frozen=True, slots=True)
class WriteSection:
    """How requests are written.

    Attributes:
        styles: By weight. Without a model `plain`, `terse`, `chatty` and `list` are known.
        languages: By weight; only a model writes others than English.
        characters: Of a skill's instructions that a writer is shown.
    """

    styles: dict[str, float] = _weights(dict.fromkeys(STYLES, 1.0), *STYLES)  # noqa: RUF009
    languages: dict[str, float] = _weights({"English": 1.0})  # noqa: RUF009
    characters: int = whole(6000)


@dataclass(frozen=True, slots=True)
class CheckSection:
    """Which requests stay.

    Attributes:
        max_run: Words in a row that a request may share with its skills.
        max_overlap: Share of its word 3-grams that they may hold.
        alike: Jaccard of words from which two requests are one.
        candidates: Skills that a judge looks at besides the given ones.
        graded: Other skills that would do become labels of grade 1 and the given ones of grade 2;
            otherwise they are named in the column `also` alone.
    """

    max_run: int = whole(7, 1)
    max_overlap: float = share(0.15)
    alike: float = share(0.85, zero=False)
    candidates: int = whole(8)
    graded: bool = flag(False)


@dataclass(frozen=True, slots=True)
class EndpointSection:
    """A model behind a URL; none if `kind` is empty.

    Attributes:
        kind: `openai` (also what speaks like it) or `anthropic`.
        url: Its base, such as `https://api.example.com/v1`.
        name: Of the model.
        key: Name of the environment variable that holds the key.
        temperature: Not sent if it is 1, which is every model's default.
        max_tokens: Of an answer.
        limit: What the server calls that limit; some of OpenAI's take the second name alone.
        options: Further fields of a question, as TOML in one text.
        concurrency: Questions at a time.
        per_minute: Questions a minute at most; 0 for no limit.
        timeout: Seconds.
        retries: How often a question is sent again after 429, 500, a time-out and the like.
        attempts: How often one whose answer cannot be used is asked.
        backoff: Seconds before the first retry; then twice as long each time.
        input_price: For a million tokens, in whatever currency the budget is.
        output_price: For a million tokens.
    """

    kind: str = choice("", "", "openai", "anthropic")
    url: str = text()
    name: str = text()
    key: str = text()
    temperature: float = at_least_zero(1.0)
    max_tokens: int = whole(1500, 1)
    limit: str = choice("max_tokens", "max_tokens", "max_completion_tokens")
    options: str = text()
    concurrency: int = whole(4, 1)
    per_minute: int = whole(0)
    timeout: float = at_least_zero(120.0)
    retries: int = whole(6)
    attempts: int = whole(3, 1)
    backoff: float = at_least_zero(1.0)
    input_price: float = at_least_zero(0.0)
    output_price: float = at_least_zero(0.0)

    @property
    def fields(self) -> dict[str, Any]:
        """The options, parsed.

        Raises:
            ValueError: If they are no TOML.
        """
        return _parse(self.options)

    @property
    def variable(self) -> str:
        """The environment variable that holds the key."""
        return self.key or _KEYS.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class BudgetSection:
    """What all questions together may cost, over all runs; 0 for no limit.

    Attributes:
        cost: In the currency of the prices.
        tokens: Of questions and answers.
    """

    cost: float = at_least_zero(0.0)
    tokens: int = whole(0)


@dataclass(frozen=True, slots=True)
class Config:
    """A benchmark in the making.

    Attributes:
        name: Of the data set.
        seed: Of all that is drawn.
        model: Who tags, sorts and writes.
        test_model: Who writes for splits whose names begin with `test` (the paper takes a stronger
            one); `model` if it is empty.
        judge: Who judges what was written; better another model.
    """

    name: str = "benchmark"
    seed: int = 1
    filter: FilterSection = field(default_factory=FilterSection)
    tag: TagSection = field(default_factory=TagSection)
    taxonomy: TaxonomySection = field(default_factory=TaxonomySection)
    split: SplitSection = field(default_factory=SplitSection)
    sample: SampleSection = field(default_factory=SampleSection)
    write: WriteSection = field(default_factory=WriteSection)
    check: CheckSection = field(default_factory=CheckSection)
    model: EndpointSection = field(default_factory=EndpointSection)
    test_model: EndpointSection = field(default_factory=EndpointSection)
    judge: EndpointSection = field(default_factory=EndpointSection)
    budget: BudgetSection = field(default_factory=BudgetSection)

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON types, defaults included."""
        return dataclasses.asdict(self)


def load_config(file: Path | None) -> Config:
    """Read and check a configuration; the defaults without one.

    Raises:
        InputError: If the file is missing or no TOML, or a key or value is at fault.
    """
    if file is None:
        return Config()
    try:
        table = _parse(read_text(file, _MOST))
    except OSError as e:
        raise InputError(f"cannot read {file}: {e.strerror or e}") from None
    except ValueError as e:
        raise InputError(f"{file} is not TOML: {e}") from None
    try:
        return parse_config(table)
    except InputError as e:
        raise InputError(f"{file}: {e}") from None


def _parse(toml: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return dict(tomllib.loads(toml))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_config(table: Mapping[str, Any]) -> Config:
    """Check a parsed configuration.

    Raises:
        InputError: Naming the key, what was given and what is allowed.
    """
    hints = get_type_hints(Config)
    for name in table:
        if name not in hints:
            raise InputError(f"unknown key or section {name!r}; it has {listed(hints)}")
    name, seed = table.get("name", "benchmark"), table.get("seed", 1)
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise InputError(f"name is {name!r}; allowed: letters, digits, '.', '-' and '_'")
    if type(seed) is not int:
        raise InputError(f"seed is {seed!r}; allowed: a whole number")
    sections = [s for s in hints if s not in ("name", "seed")]
    parts = {s: _section(hints[s], s, table.get(s, {})) for s in sections}
    config = Config(name, seed, **parts)
    _check_together(config)
    return config


def _section(cls: type[_S], section: str, given: object) -> _S:
    if not isinstance(given, Mapping):
        raise InputError(f"{section} is {given!r}; it must be a section [{section}]")
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    values = {}
    for name, value in given.items():
        if name not in known:
            raise InputError(f"unknown key {section}.{name}; known: {listed(known)}")
        converted, ok = convert(value, hints[name])
        if not ok or not known[name].metadata["check"](converted):
            allowed = known[name].metadata["allowed"]
            # Whoever puts the key itself here must not find it on the screen and in a log.
            shown = "" if name == "key" else f" {value!r};"
            raise InputError(f"{section}.{name} is{shown} allowed: {allowed}")
        values[name] = converted
    return cls(**values)


def _check_together(config: Config) -> None:
    """Values that are fine alone and impossible together."""
    for name in config.split.shares:
        if not re.fullmatch(r"[\w.-]+", name):
            raise InputError(f"split.shares: {name!r} cannot be the name of a split")
    if config.taxonomy.source == "file" and not config.taxonomy.file:
        raise InputError('taxonomy.source is "file" and taxonomy.file is empty')
    if config.taxonomy.source == "discover" and not config.model.kind:
        raise InputError('taxonomy.source is "discover", which needs a [model]')
    if config.test_model.kind and not config.model.kind:
        raise InputError("[test_model] goes with a [model], which tags and sorts")
    for section in ENDPOINTS:
        _check_endpoint(section, getattr(config, section), config.budget)
    others = [name for name in config.write.languages if name != "English"]
    if others and not config.model.kind:
        raise InputError(f"write.languages names {others[0]}, which needs a [model]")


def _check_endpoint(section: str, endpoint: EndpointSection, budget: BudgetSection) -> None:
    if not endpoint.kind:
        if endpoint.url or endpoint.name:
            raise InputError(f'{section}.kind is missing: "openai" or "anthropic"')
        return
    url = urlsplit(endpoint.url)
    if url.scheme not in ("http", "https") or not url.hostname or not endpoint.name:
        raise InputError(f'{section} needs url = "https://..." and name = "MODEL"')
    if url.username or url.password or url.query:
        raise InputError(f"{section}.url holds more than an address; the key goes elsewhere")
    if url.scheme == "http" and url.hostname not in _LOCAL:
        raise InputError(f"{section}.url: over http anyone on the way reads the key; use https")
    if not _VARIABLE.fullmatch(endpoint.variable):
        raise InputError(
            f"{section}.key is the NAME of an environment variable in capitals, never the key"
        )
    try:
        taken = _OWN_FIELDS.intersection(endpoint.fields)
    except ValueError as e:
        raise InputError(f"{section}.options is no TOML: {e}") from None
    if taken:  # or a call could cost more than was entered for it
        raise InputError(f"{section}.options has {listed(taken)}, which other keys say")
    if budget.cost and not (endpoint.input_price or endpoint.output_price):
        raise InputError(f"budget.cost needs {section}.input_price and {section}.output_price")
