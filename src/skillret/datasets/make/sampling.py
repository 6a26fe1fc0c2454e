"""Step `sample`: which requests are to be written: for which skills, how, and how long."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from random import Random

from skillret.datasets.make.config import STYLES, Config
from skillret.datasets.make.step import Context, Result, drawn, short_id
from skillret.datasets.row_files import Row
from skillret.lexical.bm25 import LexicalIndex, write_lexical
from skillret.types import Skill

__all__ = ["MISS", "NEEDLESS", "OFFLINE_STYLES", "REQUEST", "sample_requests"]

REQUEST, MISS, NEEDLESS = "request", "near-miss", "needless"
OFFLINE_STYLES = ("plain", "terse", "chatty", "list")
# Of a skill's own BM25 score: above, another does the same; below, it has nothing to do with it.
_ALIKE, _STRANGE = 0.45, 0.1
_POOL = 40  # neighbours that are looked at


def sample_requests(context: Context) -> Result:
    """Plans of requests, split by split.

    Sets of several skills are of neighbours by BM25 over name and description that are near but not
    alike, from another category in the share that is asked for.
    """
    config = context.config
    skills = {row["id"]: row for row in context.rows("filter")}
    sub = {row["id"]: (row["major"], row["sub"]) for row in context.rows("taxonomy")}
    members: dict[str, list[str]] = defaultdict(list)
    for row in context.rows("split"):
        members[row["split"]].append(row["id"])
    result = Result(unit="request")
    for split in sorted(members):
        ids = members[split]
        near = _Neighbours([skills[i] for i in ids], sub)
        wanted = config.sample.requests * len(ids) / len(skills) or (
            config.sample.per_skill * len(ids)
        )
        _plan(result, split, ids, round(wanted), near, config)
    kinds = Counter(row["kind"] for row in result.rows)
    result.facts |= {f"with {k} skills": n for k, n in sorted(_sizes(result.rows).items()) if k > 1}
    result.facts |= {name: kinds[name] for name in (MISS, NEEDLESS)}
    return result


def _sizes(rows: Sequence[Row]) -> Counter[int]:
    return Counter(len(row["skill_ids"]) for row in rows if row["kind"] == REQUEST)


def _plan(
    result: Result,
    split: str,
    ids: Sequence[str],
    wanted: int,
    near: _Neighbours,
    config: Config,
) -> None:
    section = config.sample
    order = list(ids)
    drawn(config.seed, split, "order").shuffle(order)
    sizes = _dealt(section.sizes, wanted, drawn(config.seed, split, "sizes"))
    seen: Counter[str] = Counter()
    smaller = 0
    for number in range(wanted):
        draw = drawn(config.seed, split, number)
        anchor = order[number % len(order)]
        gold = [anchor]
        for _ in range(int(sizes[number]) - 1):
            found = near.another(gold, draw, section.cross_category)
            if found is None:
                smaller += 1
                break
            gold.append(found)
        _add(result, split, REQUEST, gold, number, seen[anchor], draw, config)
        seen[anchor] += 1
    if smaller:
        name = "sets smaller for want of a fitting skill"
        result.facts[name] = result.facts.get(name, 0) + smaller
    for kind, rate in ((MISS, section.near_misses), (NEEDLESS, section.needless)):
        for number in range(round(rate * wanted)):
            draw = drawn(config.seed, split, kind, number)
            anchor = order[-1 - number % len(order)]
            gold = [anchor] if kind == MISS else []
            _add(result, split, kind, gold, number, number // len(order), draw, config)


def _add(
    result: Result,
    split: str,
    kind: str,
    gold: Sequence[str],
    number: int,
    visit: int,
    draw: Random,
    config: Config,
) -> None:
    """Add a plan; `visit` says how often the skill had one before."""
    styles = dict(config.write.styles)
    if not config.model.kind:
        known = {s: w for s, w in styles.items() if s in OFFLINE_STYLES and w}
        styles = known or {"plain": 1.0}
    style = draw.choices(list(styles), list(styles.values()))[0]
    if style == "non-native":
        language = "English"
    else:
        spoken = config.write.languages
        language = draw.choices(list(spoken), list(spoken.values()))[0]
    _, least, most = STYLES[style]
    longest = min(most, least + round((most - least) * draw.triangular(0.2, 1.0, 0.5)))
    result.rows.append(
        {
            "id": short_id(config.seed, split, kind, number, *gold),
            "split": split,
            "kind": kind,
            "skill_ids": list(gold),
            "style": style,
            "language": language,
            "words": [least, longest],
            "visit": visit,
        }
    )


def _dealt(weights: Mapping[str, float], count: int, draw: Random) -> list[str]:
    """`count` names in the shares of their weights, shuffled."""
    total = sum(weights.values())
    dealt: list[str] = []
    for name in sorted(weights):
        dealt += [name] * round(count * weights[name] / total)
    most = max(sorted(weights), key=weights.__getitem__)
    dealt = (dealt + [most] * count)[:count]
    draw.shuffle(dealt)
    return dealt


class _Neighbours:
    """Which skills of a split are near one another, by BM25."""

    def __init__(self, rows: Sequence[Row], sub: Mapping[str, tuple[str, str]]) -> None:
        self._rows = rows
        self._sub = sub
        self._number = {row["id"]: n for n, row in enumerate(rows)}
        texts = [Skill(r["id"], r["name"], r["description"], "") for r in rows]
        self._index = LexicalIndex(write_lexical(None, enumerate(texts)))
        self._found: dict[str, dict[str, float]] = {}

    def of(self, id_: str) -> dict[str, float]:
        """Neighbours of a skill, nearest first, with their score relative to its own."""
        if id_ not in self._found:
            row = self._rows[self._number[id_]]
            text = f"{row['name'].replace('-', ' ')} {row['description']}"
            keys, scores = self._index.search(text, _POOL)
            own = {self._rows[k]["id"]: float(s) for k, s in zip(keys, scores, strict=True)}
            top = own.pop(id_, 0.0) or max(own.values(), default=1.0)
            self._found[id_] = {other: score / top for other, score in own.items()}
        return self._found[id_]

    def another(self, gold: Sequence[str], draw: Random, cross: float) -> str | None:
        """A skill that occurs with those of a set: near to one, alike to none; None if none is."""
        names = {self._rows[self._number[g]]["name"] for g in gold}
        pool = {
            other: ratio
            for g in gold
            for other, ratio in self.of(g).items()
            if _STRANGE <= ratio < _ALIKE and other not in gold
        }
        pool = {o: r for o, r in pool.items() if self._rows[self._number[o]]["name"] not in names}
        for g in gold:
            for other, ratio in self.of(g).items():
                if ratio >= _ALIKE:
                    pool.pop(other, None)
        subs = {self._sub[g] for g in gold}
        other_field = draw.random() < cross
        fitting = {o: r for o, r in pool.items() if (self._sub[o] not in subs) == other_field}
        pool = fitting or pool
        if not pool:
            return None
        return draw.choices(list(pool), [ratio**2 for ratio in pool.values()])[0]
