"""What a skill is called and what it is for, as the fields of its front matter say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from typing import Any

from skillret.skills.exclusion_fields import plain_key
from skillret.skills.lines import joined
from skillret.skills.quotes import behind_quotes, uncut, unquoted
from skillret.skills.repair import entries_of, flat

__all__ = ["described", "field", "named", "stands_twice", "whole_description", "written_as"]

_MARKS = ("!", "&")  # begin a tag and an anchor, which are no part of a value
_SHORTEST = 4  # letters of a key that is cut short
_FEWEST = 4  # words of a sentence
_OTHER_WORDS = ("summary", "purpose", "about")  # for a description
_LONGEST_KEY = 3  # words
# How a line of a text begins and no key does.
_OPENS = re.compile(
    r"(?:and|or|but|nor|for|from|to|with|without|in|into|on|at|by|of|as|if|when|whenever|while|that"
    r"|which|who|the|an?|is|are|can|it|this|also|not|never|do|does|don['’]t|us(?:e|ed|es|ing)"
    r"|only|including|includes|such|e\.g\.|invoke|triggers?|activate|apply)\b(?!-)",
    re.IGNORECASE,
)
_IN_PROSE = re.compile(r"[,.;!?()`\"“”\u2013\u2014](?:\s|$)|\s[(`\"“]")
# Keys that have been seen with blanks for joints, and what the last word of one is.
_SPACED = frozenset({"whentouse", "allowedtools", "disablemodelinvocation", "userinvocable"})
_NOUNS = frozenset({"name", "description", "version", "author", "date", "license", "tools", "tags"})


def described(fields: Mapping[str, Any], written: str, notes: list[str]) -> str:
    """The description and, behind it, when to use the skill: agents show both as one text."""
    texts: list[str] = []
    described = False
    for key, name in (("description", "description"), ("whentouse", "when_to_use")):
        value = field(fields, key)
        described = described or bool(texts)
        if value is None and key == "description" and (meant := written_as(fields)):
            notes.append(f"`{meant}` was taken for `{name}`; correct it")
            value = fields[meant]
        same = [str(k) for k in fields if plain_key(str(k)) == key]
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
        whole = _unquoted(whole, name, notes)
        if whole not in " ".join(texts):
            texts.append(whole)
    if texts and not described:
        notes.append("it has no description: `when_to_use` stands in; other clients skip it")
    return reduce(joined, texts, "")


def named(fields: Mapping[str, Any], notes: list[str]) -> str:
    """The name as one line of text; empty, with a remark, if it is none."""
    value = field(fields, "name")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        notes.append("`name` must be text, not a list; the one text in it was taken")
        value = value[0]
    if isinstance(value, list | dict):
        notes.append(
            f"`name` must be text, not a {'list' if isinstance(value, list) else 'mapping'}"
        )
        return ""
    text = flat(value)
    bare = _bare(text)
    if bare != text:
        notes.append(f"`name` is {text[:80]!r}, of which {bare[:80]!r} was taken; correct it")
    return _unquoted(bare, "name", notes)


def _bare(name: str) -> str:
    """A name without a comma behind it, and without Markdown's marks around it."""
    bare = name.rstrip(",; ")
    marks = len(bare) - len(bare.lstrip("*`"))
    mark = bare[:marks]
    inner = bare[marks:].removesuffix(mark[::-1]) if marks else bare
    return inner if inner and not inner.endswith(("*", "`")) else name


def _unquoted(text: str, key: str, notes: list[str]) -> str:
    """A text without typographic quotation marks around it, and a remark if there were any."""
    inner = unquoted(text)
    if inner != text:
        notes.append(f"`{key}` stands in quotation marks that YAML takes for letters; use others")
    return inner


def written_as(fields: Mapping[str, Any]) -> str | None:
    """The key of the description, or the one that was most likely meant for it.

    That is one that is misspelt, cut short or longer than it should be, or else another word for
    it, if a sentence stands there.
    """
    from difflib import get_close_matches

    keys = {plain_key(str(key)): str(key) for key in fields}
    close = get_close_matches("description", keys, 1, 0.85)
    short = [k for k in keys if len(k) >= _SHORTEST and "description".startswith(k)]
    long = [k for k in keys if k.startswith("description") or k.endswith("description")]
    said = [k for k in _OTHER_WORDS if len(flat(fields.get(keys.get(k, ""))).split()) >= _FEWEST]
    found = (*close, *short, *long, *said)
    return keys[found[0]] if found else None


def whole_description(fields: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Fields in which the description has the lines below it that YAML takes for other fields.

    A line that is not indented and holds a colon is a field to YAML, however much of a sentence
    stands before the colon.

    Args:
        fields: As YAML has them, in their order.
        notes: Gets a remark if there are such lines.
    """
    found: dict[str, Any] = {}
    last = ""  # the line above, while it is the description's
    for key, value in fields.items():
        if key == "description" and isinstance(value, str):
            last = value.strip()
        elif last and _is_text(key, value, last):
            last = f"{key}: {flat(value)}"
            found["description"] = f"{found['description']}\n{last}"
            notes.append(
                f"{f'{key}:'[:60]!r} below the description was read as part of it, not as a field:"
                " indent the line"
            )
            continue
        else:
            last = ""
        found[key] = value
    return found


def _is_text(key: str, value: Any, above: str) -> bool:
    """Whether a field is the next line of a text, as what stands before its colon shows.

    Keys are a word, or few without grammar: `last updated`.
    """
    words = key.split()
    if len(words) < 2 or isinstance(value, Mapping) or plain_key(key) in _SPACED:
        return False
    if above[-1] in ",;&/(-\u2013\u2014" or _OPENS.match(key) or _IN_PROSE.search(key):
        return True
    said = len(flat(value).split()) >= _FEWEST and words[-1].lower() not in _NOUNS
    return len(words) > _LONGEST_KEY or (said and above[-1] not in ".!?")


def field(fields: Mapping[str, Any], key: str) -> Any:
    """The field of a key in whatever spelling: `when_to_use`, `when-to-use`, `whenToUse`."""
    if key in fields:
        return fields[key]
    return next((v for k, v in fields.items() if plain_key(k) == key), None)


def stands_twice(key: str, count: int, used: str) -> str:
    """The remark on a key that stands more than once."""
    shown = f"{used[:60]}..." if len(used) > 60 else used
    return (
        f"`{key[:60]}` stands {'twice' if count == 2 else f'{count} times'} in its front matter, of"
        f" which {shown!r} is used; keep one of them"
    )
