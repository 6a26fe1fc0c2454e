"""The description of a skill, put together from the fields of a front matter that hold its parts.

Agents show `when_to_use` behind the description as one text. What a field of its own says the skill
is not for is put behind both, so that it is told from the rest as it is in a description.
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
from skillret.skills.quotes import behind_quotes, uncut, unquoted
from skillret.skills.repair import entries_of, flat

__all__ = ["described", "field", "likely_description", "not_for", "stands_twice", "without_quotes"]

_MARKS = ("!", "&")  # begin a tag and an anchor, which are no part of a value
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


def stands_twice(key: str, count: int, used: str) -> str:
    """The remark on a key that stands more than once."""
    shown = f"{used[:60]}..." if len(used) > 60 else used
    return (
        f"`{key[:60]}` stands {'twice' if count == 2 else f'{count} times'} in its front matter, of"
        f" which {shown!r} is used; keep one of them"
    )


def field(fields: Mapping[str, Any], key: str) -> Any:
    """The field of a key in whatever spelling: `when_to_use`, `when-to-use`, `whenToUse`."""
    if key in fields:
        return fields[key]
    return next((v for k, v in fields.items() if _plain_key(k) == key), None)


def _plain_key(key: str) -> str:
    return re.sub(r"[-_\s]", "", key).lower()


def likely_description(fields: Mapping[str, Any]) -> str | None:
    """The key of the description, or the one that was most likely meant for it."""
    from difflib import get_close_matches

    keys = {_plain_key(str(key)): key for key in fields}
    return next((keys[key] for key in get_close_matches("description", keys, 1, 0.85)), None)


def described(fields: Mapping[str, Any], written: str, notes: list[str]) -> str:
    """The description and, behind it, when to use the skill: agents show both as one text."""
    texts: list[str] = []
    described = False
    for key, name in (("description", "description"), ("whentouse", "when_to_use")):
        value = field(fields, key)
        described = described or bool(texts)
        if value is None and key == "description" and (meant := likely_description(fields)):
            notes.append(f"`{meant}` was taken for `{name}`; correct it")
            value = fields[meant]
        same = [str(k) for k in fields if _plain_key(str(k)) == key]
        if len(same) > 1:
            notes.append(stands_twice(name, len(same), flat(value)))
        if isinstance(value, list | dict) and value:
            notes.append(f"`{name}` must be text; its parts were joined")
        text = flat(value)
        special = any(mark in written for mark in ("#", *_MARKS))
        entry = (field(entries_of(written), key) or "") if special else ""
        whole = uncut(text, entry) if special else text
        if not text and whole:
            notes.append(
                f"`{name}` begins with `#`, which YAML takes for a comment; it was read all the"
                " same: put it in quotes"
            )
        elif whole != text:
            lost = "begins with what" if whole[0] in _MARKS else "goes on behind ` #`, which"
            taken = "mark" if whole[0] in _MARKS else "comment"
            notes.append(
                f"`{name}` {lost} YAML takes for a {taken}; it was read whole, put it in quotes"
            )
        if behind := behind_quotes(entry):
            notes.append(
                f"`{name}` ends with its quotation mark; {behind!r:.60} behind it was left out, as"
                " YAML's comment: put the whole in quotes"
            )
        whole = without_quotes(whole, name, notes)
        if whole not in " ".join(texts):
            texts.append(whole)
    if texts and not described:
        notes.append("it has no description: `when_to_use` stands in; other clients skip it")
    return reduce(joined, texts, "")


def without_quotes(text: str, key: str, notes: list[str]) -> str:
    """A text without typographic quotation marks around it, and a remark if there were any."""
    inner = unquoted(text)
    if inner != text:
        notes.append(f"`{key}` stands in quotation marks that YAML takes for letters; use others")
    return inner


def not_for(fields: Mapping[str, Any]) -> str:
    """What fields say that the skill is not for, as sentences that say so; also below another."""
    said: list[str] = []
    for value in _negative(fields):
        items = value if isinstance(value, list) else [value]
        texts = [flat(item)[:_MOST] for item in items]
        if any("*" in text or truth_of(text) is not None for text in texts):
            continue  # patterns of files, or a mark of whatever kind
        if all(len(_SENTENCES().split(text)) == 1 for text in texts):
            texts = [", ".join(text.rstrip(".;, ") for text in texts if text)[:_MOST]]
        sentences = (s for text in texts for s in _SENTENCES().split(text) if s.strip(" .;,"))
        said += (s if _says_so(s) else f"Not for: {s}" for s in sentences)
    return reduce(joined, said, "")


def _negative(fields: Mapping[str, Any], deep: bool = True) -> Iterator[Any]:
    """The values of fields whose keys say that the skill is not for them."""
    for key, value in fields.items():
        if _NOT_FOR().fullmatch(_plain_key(str(key))):
            yield value
        elif deep and isinstance(value, Mapping) and key != "description":  # which is read whole
            yield from _negative(value, deep=False)


def _says_so(sentence: str) -> bool:
    """Whether a sentence is taken for an exclusion as it stands."""
    return not read_purpose(f"Works. {sentence}").wanted.removeprefix("Works.")
