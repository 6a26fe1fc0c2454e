"""More training data from what there is: weighted kinds, composed queries, documents as pairs.

Catalogues give one short, clean query per skill. Real queries are long, bring background along
and need several skills, and most skills of a library have no labelled query at all. Three
remedies, each an option of the recipe: kinds of queries are repeated or thinned out; single
queries are joined into composed ones between sentences that need no skill; and a skill's
description asks for a section of its body, so that every skill teaches something.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from skillret.calibration.composed import compose
from skillret.datasets.labelled import LabelledData, LabelledQuery
from skillret.training.sections import DataSection, kind_weight
from skillret.types import Skill

__all__ = [
    "SECTION",
    "AugmentedSource",
    "augment",
    "sections",
]

SECTION = "#section"  # ends the id of a part of a skill, which is never a negative

_WORDS_OF_SECTION = 130
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class AugmentedSource:
    """A source with the augmentations of a recipe on top; reading it twice gives the same.

    Args:
        source: The labelled data.
        section: Its `repeat`, `composed` and `sections` are used.
        seed: Of everything that is drawn.
    """

    def __init__(self, source: LabelledData, section: DataSection, seed: int) -> None:
        self._source, self._section, self._seed = source, section, seed

    @property
    def name(self) -> str:
        """See `LabelledData.name`."""
        return self._source.name

    @property
    def revision(self) -> str:
        """See `LabelledData.revision`."""
        return self._source.revision

    def skills(self) -> Iterator[Skill]:
        """See `LabelledData.skills`; sections of bodies follow the skills."""
        yield from self._source.skills()
        for skill, _ in self._sections():
            yield skill

    def queries(self) -> Iterator[LabelledQuery]:
        """See `LabelledData.queries`."""
        draw = random.Random(self._seed)  # noqa: S311 (not for secrets)
        singles: list[LabelledQuery] = []
        for query in self._source.queries():
            if len(query.gold) == 1:
                singles.append(query)
            weight = kind_weight(self._section.repeat, query.kind)
            copies = int(weight) + (draw.random() < weight % 1)
            for copy in range(copies):
                if copy:
                    yield replace(query, id=f"{query.id}#{copy}", made=True)
                else:
                    yield query
        yield from compose(singles, self._section.composed, draw)
        for _, query in self._sections():
            yield query

    def _sections(self) -> Iterator[tuple[Skill, LabelledQuery]]:
        if self._section.sections:
            draw = random.Random(self._seed)  # noqa: S311
            yield from sections(self._source.skills, self._section.sections, draw)


def augment(source: LabelledData, section: DataSection, seed: int) -> LabelledData:
    """The source itself if the recipe asks for no augmentation."""
    if section.repeat or section.composed or section.sections:
        return AugmentedSource(source, section, seed)
    return source


def sections(
    read: Callable[[], Iterable[Skill]], count: int, draw: random.Random
) -> Iterator[tuple[Skill, LabelledQuery]]:
    """Pairs of a section of a body, as a skill of its own, and the description that asks for it.

    Args:
        read: Yields the skills, twice the same; memory holds those that are drawn. Those without
            description or with a short body are left out.
        count: How many pairs at most, one a skill.
        draw: Decides which skills and which section.
    """
    able = [
        row
        for row, s in enumerate(read())
        if s.description and len(s.body.split()) > _WORDS_OF_SECTION
    ]
    drawn = draw.sample(able, min(count, len(able)))
    wanted = set(drawn)
    skills = {row: skill for row, skill in enumerate(read()) if row in wanted}
    for skill in (skills[row] for row in drawn):
        words = skill.body.split(" ")
        start = draw.randrange(max(1, len(words) - _WORDS_OF_SECTION))
        text = " ".join(words[start : start + _WORDS_OF_SECTION])
        part = Skill(f"{skill.id}{SECTION}", draw.choice((skill.name, "")), "", text)
        sentences = _SENTENCE.split(skill.description)
        asked = skill.description if draw.random() < 0.5 else draw.choice(sentences)
        where = f"description of {skill.id}"
        yield part, LabelledQuery(f"section-{skill.id}", asked, (part.id,), where, made=True)
