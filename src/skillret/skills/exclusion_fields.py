"""What fields of a front matter say that the skill is not for: `when_not_to_use`, `exclusions`.

It is put behind the description, so that it is told from the rest as it is in a description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from skillret.patterns import lazy_pattern
from skillret.skills.exclusions import read_purpose
from skillret.skills.lines import joined
from skillret.skills.marks import truth_of
from skillret.skills.repair import flat

__all__ = ["not_for", "plain_key"]

_MOST = 1024  # characters of a field that says what a skill is not for
# `when_not_to_use`, `not_for`, `do_not_use_when`, `exclusions`, `anti_triggers`, ...; of a bare
# `not`, `never` or `exclude` nobody knows what it is of.
_NOT_FOR = lazy_pattern(
    r"(?:when)?(?:do|does|should|must|is)?(?:not|nt)(?:to)?(?:be)?"
    r"(?:(?:use|used|trigger|triggered|invoke|invoked|activate|load|suitable|suited|intended|meant)"
    r"(?:this|thisskill|it)?(?:for|when|if|on|cases?)?|for|when|if)"
    r"|(?:non|anti|negative)(?:goals?|triggers?|usecases?)|exclusions?|excluded(?:uses|usecases|tasks)"
    r"|(?:out|outside)ofscope|(?:avoid|skip)(?:for|when|if)|whento(?:avoid|skip)|whennot"
)
_SENTENCES = lazy_pattern(r"(?<=[.!?])\s+(?=\S)|(?<=[。！？])")


def plain_key(key: str) -> str:
    """A key without what joins its words, in lower case: `when_to_use`, `whenToUse`."""
    return re.sub(r"[-_\s]", "", key).lower()


def not_for(fields: Mapping[str, Any]) -> str:
    """What fields say that the skill is not for, as sentences that say so; also below another."""
    said: list[str] = []
    for value in _negative(fields):
        items = value if isinstance(value, list) else [value]
        texts = [flat(item)[:_MOST] for item in items]
        if any("*" in text or truth_of(text) is not None for text in texts):
            continue  # patterns of files, or a mark of whatever kind
        if len(texts) > 1 and all(len(_SENTENCES().split(text)) == 1 for text in texts):
            texts = [", ".join(text.rstrip(".;, ") for text in texts if text)[:_MOST]]
        sentences = (s for text in texts for s in _SENTENCES().split(text) if s.strip(" .;,"))
        said += (s if _says_so(s) else f"Not for: {s}" for s in sentences)
    return reduce(joined, said, "")


def _negative(fields: Mapping[str, Any], deep: bool = True) -> Iterator[Any]:
    """The values of fields whose keys say that the skill is not for them."""
    for key, value in fields.items():
        if _NOT_FOR().fullmatch(plain_key(str(key))):
            yield value
        elif deep and isinstance(value, Mapping) and key != "description":  # which is read whole
            yield from _negative(value, deep=False)


def _says_so(sentence: str) -> bool:
    """Whether a sentence is taken for an exclusion as it stands."""
    return not read_purpose(f"Works. {sentence}").wanted.removeprefix("Works.")
