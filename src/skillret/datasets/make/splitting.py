"""Step `split`: disjoint sets of skills, up to near-duplicates and by repository."""

from __future__ import annotations

from collections import Counter, defaultdict

from skillret.datasets.make.step import Context, Result, drawn

__all__ = ["split_skills"]


def split_skills(context: Context) -> Result:
    """The `split` of every skill.

    Skills of one repository, and near-duplicates with all their repositories, stay together. The
    largest parts are dealt first, each to the split that lacks most; where one repository holds
    everything, its skills are dealt like repositories.
    """
    skills = context.rows("filter")
    section = context.config.split
    several = len({row["repo"] for row in skills}) > 1
    by_repository = section.by == "repository" and several
    parts = _Parts(len(skills))
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(skills):
        ties = [("group", row["group"])]
        if by_repository:
            ties.append(("repo", row["repo"]))
        for tie in ties:
            parts.join(first.setdefault(tie, number), number)
    members: dict[int, list[int]] = defaultdict(list)
    for number in range(len(skills)):
        members[parts.root(number)].append(number)
    dealt = list(members.values())
    drawn(context.config.seed, "split").shuffle(dealt)
    dealt.sort(key=len, reverse=True)
    shares = {name: share for name, share in section.shares.items() if share > 0}
    scale = len(skills) / sum(shares.values())
    counts: Counter[str] = Counter()
    splits = [""] * len(skills)
    for part in dealt:
        name = max(shares, key=lambda s: shares[s] * scale - counts[s])
        counts[name] += len(part)
        for number in part:
            splits[number] = name
    result = Result(unit="skill")
    result.rows = [{"id": r["id"], "split": s} for r, s in zip(skills, splits, strict=True)]
    result.facts = {f"in {name}": counts[name] for name in shares}
    result.facts["repositories" if by_repository else "parts"] = len(dealt)
    return result


class _Parts:
    """Disjoint sets of numbers."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, a: int, b: int) -> None:
        a, b = self.root(a), self.root(b)
        self._parent[max(a, b)] = min(a, b)
