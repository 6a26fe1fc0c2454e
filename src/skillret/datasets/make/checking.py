"""Step `check`: which requests stay, and which other skills would do as well."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from skillret.datasets.make.config import CheckSection
from skillret.datasets.make.examples import take_out
from skillret.datasets.make.sampling import REQUEST
from skillret.datasets.make.step import Context, Result
from skillret.datasets.make.templates import DESCRIPTION
from skillret.datasets.row_files import Row
from skillret.lexical.language import SCRIPTS, language
from skillret.lexical.spelling import spell

__all__ = ["Texts", "check_requests"]

_WORD = re.compile(r"\w+")
_TEMPLATE = "template-"
_SHORTEST, _LONGEST = 2, 400  # words of any request
_LOOSE = 1.5  # how much longer than planned a request may be
_RARE = 0.01  # share of descriptions that a word may be in to be a name
_URL = re.compile(r"https?://[^\s)\"'>]+|\bwww\.[^\s)\"'>]+")
_TO_THE_WRITER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rules?|guideline)s?\b"
    r"|\b(?:system|developer)\s+prompt\b|\bas an ai(?:\s+language)?\s+model\b|\bjailbreak"
    r"|<\/?(?:skill|data|request|system|instructions?)\b|\[/?INST\]|<\|",
    re.IGNORECASE | re.DOTALL,
)


class Texts:
    """Words of skills, read once.

    Args:
        skills: All of the benchmark.
    """

    def __init__(self, skills: Sequence[Row]) -> None:
        self.skills = {row["id"]: row for row in skills}
        self._held: Counter[str] = Counter()
        for row in skills:
            self._held.update(set(words_of(row["description"])))
        self._words: dict[str, list[str]] = {}

    def words(self, id_: str, quoted: Sequence[str] = ()) -> list[str]:
        """The words of a skill, without lines that are quoted from it."""
        row = self.skills[id_]
        if quoted:
            return _all_words({**row, "skill_md": take_out(row["skill_md"], list(quoted))})
        if id_ not in self._words:
            if len(self._words) > 1000:
                self._words.clear()
            self._words[id_] = _all_words(row)
        return self._words[id_]

    def names(self, id_: str, text: str) -> bool:
        """Whether a text has the name of a skill: all of its words in order, or its rare one."""
        name = self.skills[id_]["name"]
        words = words_of(name)
        if name.lower() in text.lower() and not name.isalpha():
            return True
        if len(words) == 1:
            rare = self._held[words[0]] <= max(1, _RARE * len(self.skills))
            return rare and len(words[0]) > 3 and words[0] in words_of(text)
        return f" {' '.join(words)} " in f" {' '.join(words_of(text))} "


def words_of(text: str) -> list[str]:
    """Lower-cased words; a hyphen parts them."""
    return _WORD.findall(text.lower().replace("_", " "))


def _all_words(row: Row) -> list[str]:
    return words_of(f"{row['name']} . {row['description']} . {row['skill_md']}")


def check_requests(context: Context) -> Result:
    """Drop what gives its skill away, is not as planned, is there twice, or is not answerable.

    Templates out of descriptions share their words on purpose and are not measured by that. The
    judge, where there is one, sees each request with its skills and the next ones by BM25.
    """
    section = context.config.check
    texts = Texts(context.rows("filter"))
    result = Result(unit="request")
    seen: dict[str, str] = {}
    alike = _Alike(section.alike)
    for row in context.rows("write"):
        reason = _fault(row, texts, section)
        key = " ".join(words_of(spell(row["query"])))
        other = seen.get(key) if reason is None else None
        if other is not None:
            reason = "duplicate"
        elif reason is None and (other := alike.find(row["id"], key.split())) is not None:
            reason = "nearly a duplicate"
        if reason is not None:
            more = {"of": other} if other else {}
            result.drop(row["id"], reason, query=row["query"], skill_ids=row["skill_ids"], **more)
            continue
        seen[key] = row["id"]
        result.rows.append(row)
    if context.judge is not None:
        from skillret.datasets.make.models.judging import judge_requests

        return judge_requests(result, context)
    groups: dict[str, list[str]] = defaultdict(list)
    for skill in texts.skills.values():
        groups[skill["group"]].append(skill["id"])
    split = {row["id"]: row["split"] for row in context.rows("split")}
    for row in result.rows:
        if row["plan"] == REQUEST:
            row["also"] = _same_group(row, texts.skills, groups, split)
    return result


def _same_group(
    row: Row,
    skills: Mapping[str, Row],
    groups: Mapping[str, list[str]],
    split: Mapping[str, str],
) -> list[str]:
    """Near-duplicates of a request's skills: without a judge all that is known to do as well."""
    return [
        other
        for gold in row["skill_ids"]
        for other in groups[skills[gold]["group"]]
        if other not in row["skill_ids"] and split[other] == row["split"]
    ]


def _fault(row: Row, texts: Texts, section: CheckSection) -> str | None:
    """Why a request cannot stay, or None."""
    text = row["query"]
    by_template = row["kind"].startswith(_TEMPLATE)
    if _TO_THE_WRITER.search(text):
        return "speaks to the writer"
    reason = _as_planned(row, by_template)
    if reason is not None:
        return reason
    for id_ in row["skill_ids"]:
        if texts.names(id_, text):
            return "names its skill"
        body = texts.skills[id_]["skill_md"]
        if any(url in body for url in _URL.findall(text)):
            return "copies an address of its skill"
    if row["plan"] == REQUEST and row["kind"] != DESCRIPTION:
        return _leak(row, texts, section)
    return None


def _as_planned(row: Row, by_template: bool) -> str | None:
    """Whether length and language are as they were asked for; of templates nothing is asked."""
    text, planned = row["query"], row["language"]
    count = len(text.split())
    if planned in SCRIPTS:
        count = max(count, len(text) // 2)
    least, most = (_SHORTEST, _LONGEST) if by_template else row["words"]
    if row["plan"] == "needless":
        least, most = 1, _LONGEST
    if count > min(_LOOSE * most, _LONGEST):
        return "too long"
    if count < least / _LOOSE:
        return "too short"
    if by_template:
        return None
    spoken = language(text) or "English"
    if spoken != planned and (spoken != "English" or planned in SCRIPTS):
        return "another language"
    return None


def _leak(row: Row, texts: Texts, section: CheckSection) -> str | None:
    asked = words_of(row["query"])
    quoted = row.get("quoted", ())
    skill_words = [texts.words(id_, quoted) for id_ in row["skill_ids"]]
    if any(_shares_run(asked, words, section.max_run + 1) for words in skill_words):
        return f"shares more than {section.max_run} words in a row"
    grams = _grams(asked, 3)
    held = grams & set().union(*(_grams(words, 3) for words in skill_words))
    # Of a few 3-grams one is chance already.
    if len(held) > max(1, section.max_overlap * len(grams)):
        return "3-grams overlap"
    return None


def _grams(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return set(zip(*(words[n:] for n in range(size)), strict=False))


def _shares_run(asked: Sequence[str], words: Sequence[str], size: int) -> bool:
    return not _grams(asked, size).isdisjoint(_grams(words, size))


class _Alike:
    """Finds texts that have nearly the same words as an earlier one."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._known: list[frozenset[str]] = []
        self._with: dict[str, list[int]] = defaultdict(list)
        self._ids: list[str] = []

    def find(self, id_: str, words: Sequence[str]) -> str | None:
        """The id of an earlier text alike; without one this one becomes known."""
        mine = frozenset(words)
        # Jaccard t allows (1 - t) of the words to be missing: one of the others is shared.
        ordered = sorted(mine, key=lambda w: (len(self._with[w]), w))
        checked: set[int] = set()
        for word in ordered[: int((1 - self._threshold) * len(mine)) + 1]:
            for number in self._with[word]:
                if number not in checked:
                    checked.add(number)
                    other = self._known[number]
                    if len(mine & other) >= self._threshold * len(mine | other):
                        return self._ids[number]
        for word in mine:
            self._with[word].append(len(self._known))
        self._known.append(mine)
        self._ids.append(id_)
        return None
