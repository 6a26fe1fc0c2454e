"""Requests without a model: what a skill's author wrote, turned into what a user would say.

Whoever searches by words has it easier with these than with requests of people, since they take
their words from the descriptions; their `kind` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from skillret.datasets.make.examples import find_examples
from skillret.datasets.make.library import TESTS
from skillret.datasets.make.verbs import base_form, imperative
from skillret.datasets.row_files import Row
from skillret.retrieval.sentences import split_sentences
from skillret.skills.exclusions import read_purpose

__all__ = [
    "DESCRIPTION",
    "Wording",
    "dressed",
    "joined",
    "near_misses",
    "read_list",
    "wishes",
    "wordings",
]

DESCRIPTION = "template-description"
_LONGEST = 22  # words of a wish
_MOST = 4000  # characters of a description that are read
_QUOTED = re.compile(r"[\"“]([^\"“”]{12,160})[\"”]")
_SAYS = re.compile(
    r"\b(?:asks?|says?|said|mentions?|requests?|trigger|phrases?|queries|prompts?|like|such as)\b",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"\b(?:users?|someone|people|anyone|you|they)\s+(?:explicitly\s+|specifically\s+)?"
    r"(?:wants?|asks?(?:\s+(?:you|claude|me|for\s+help))?|needs?|requests?|would\s+like|is\s+asking"
    r"|has\s+asked|is\s+trying)\s+to\s+(.+)",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:use|used|useful|invoke|activate|trigger(?:s|ed)?|apply|ideal|helpful|load)\b[^.]{0,40}?"
    r"\b(?:when(?:ever)?|for|if|while|before|after|on)\s+(?:you(?:['’]re|\s+are)?\s+"
    r"|the\s+user\s+is\s+|asked\s+to\s+|needing\s+to\s+|working\s+on\s+|a\s+user\s+is\s+)?(.+)",
    re.IGNORECASE,
)
_USE_TO = re.compile(r"\buse\s+(?:this(?:\s+skill)?\s+|it\s+)?to\s+(.+)", re.IGNORECASE)
_ABOUT_SKILL = re.compile(
    r"\b(?:this skill|the skill|skills?|triggers?|use when|invoke|claude|subagents?|sub-agents?"
    r"|the agent|the model|slash command)\b|/[a-z]+-[a-z-]+",
    re.IGNORECASE,
)
_MINE = (
    (re.compile(r"\b(?:the|a)\s+user['’]s\b", re.IGNORECASE), "my"),
    (re.compile(r"\busers['’]\s", re.IGNORECASE), "our "),
    (re.compile(r"\b(?:the|a)\s+user\b", re.IGNORECASE), "me"),
    (re.compile(r"\byour\b", re.IGNORECASE), "my"),
    (re.compile(r"\byou\b", re.IGNORECASE), "I"),
)
_MARKS = re.compile(r"[*`_#]{1,3}(?=\S)|(?<=\S)[*`]{1,3}")
_ASIDE = re.compile(r"\s*[(\[][^)\]]*[)\]]|\s*https?://\S+")
_END = re.compile(r"\s+(?:-|\u2013|\u2014|\u2192)\s+|\u2014|[;:!?]\s|[;:.!?,]$")
# Verbs of what a skill does for its reader, and words that are no verb there ("complete guide").
_NOT_FIRST = frozenset(
    """
    access ask back code complete cover enable ensure guide handle help invoke lead leverage
    master mock model order present prevent profile project prompt provide serve set source
    stage store support trigger type use
    """.split()
)
_SPOILT = re.compile(
    r"[\"“”()\[\]{}<>]|,\s*,|\b(?:me|I|my)\s+(?:mentions?|says?|asks?|wants?|needs?|provides?|has|is)\b"
)
_CUT = re.compile(
    r",?\s+(?:or\s+|and\s+)?(?:when(?:ever)?|if)\s+(?:the\s+|a\s+)?(?:users?|someone|they)\b.*"
    r"|,?\s+(?:or|and)\s+when(?:ever)?\b.*",
    re.IGNORECASE,
)
_DOES = re.compile(r"\w+[^\Ws]s\b")
_OPEN = frozenset(
    "a an the and or of for to with in on by from as at into that which including such like via"
    " using when if is are be e.g. i.e. any all both not no their its my between than".split()
)
_ASKED = ("can you {}?", "please {}", "could you {} for me?", "I need you to {}", "help me {}")
_CHATTY = (
    "{b} Could you {w}? {c}",
    "hi! {b} I'd like you to {w}. {c}",
    "{b} So what I need is this: {w}. {c}",
)


class Wording(NamedTuple):
    """A request for one skill.

    Attributes:
        text: As the user says it.
        kind: Where it comes from: `template-own-test`, `template-example` or
            `template-description`.
        line: The line of the skill that quotes it, which is to be taken out; empty for others.
    """

    text: str
    kind: str
    line: str = ""


def read_list(name: str) -> list[str]:
    """The lines of a packaged text, without its comments."""
    text = files(__package__).joinpath("texts").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _background() -> tuple[str, ...]:
    return tuple(read_list("background.txt"))


def wordings(skill: Row) -> list[Wording]:
    """Requests for a skill, best first: of its own tests, quoted in it, made of its description."""
    found = [Wording(t["query"], "template-own-test") for t in skill.get(TESTS, ()) if t["wanted"]]
    examples = find_examples(skill["skill_md"])
    found += [Wording(e.text, "template-example", e.line) for e in examples]
    found += [Wording(wish, DESCRIPTION) for wish in wishes(skill)]
    return found


def near_misses(skill: Row) -> list[Wording]:
    """Requests that seem to need a skill and do not, as its author says."""
    tests = skill.get(TESTS, ())
    found = [Wording(t["query"], "template-near-miss") for t in tests if not t["wanted"]]
    purpose = read_purpose(_described(skill), skill["name"])
    for sentence in split_sentences(purpose.excluded):
        text = re.sub(
            r"^\W*(?:(?:do\s+)?not\s+(?:use\s+)?|never\s+use\s+)", "", sentence, flags=re.I
        )
        text = re.sub(
            r"^(?:(?:this|it)\s+)?(?:for|when|to|if)\s+(?:merely\s+|only\s+|just\s+)?", "", text
        )
        text = re.split(r"[;.(]|,? (?:use|see|try)\s", text)[0]
        wish = _wish(text)
        if wish is not None:
            found.append(Wording(wish, "template-near-miss"))
    return found


def _described(skill: Row) -> str:
    """A description without the lengths that only somebody who wants to stop us would give it."""
    return re.sub(r"[^\S\n]+", " ", skill["description"][:_MOST])


def wishes(skill: Row) -> list[str]:
    """What a user of a skill wishes, as commands ("create a chart of ..."), out of its description.

    First what the author says users ask for, then what they are doing when they need it, then what
    the skill does.
    """
    wanted = read_purpose(_described(skill), skill["name"]).wanted
    said, asked, doing, does = [], [], [], []
    for quoting in split_sentences(wanted):
        if _SAYS.search(quoting):
            said += [t for t in _QUOTED.findall(quoting) if 4 <= len(t.split()) <= 30]
        if len(re.findall(r"[\"“]", quoting)) > 2:  # a list of what users say, not a sentence
            continue
        sentence = re.sub(r"[\"“”]", "", quoting)
        found = _WANTS.search(sentence) or _USE_TO.search(sentence)
        when = _WHEN.search(sentence)
        if found:
            asked.append(found[1])
        elif when:
            doing.append(when[1])
        else:
            does.append(sentence)
    made = [wish for text in (*asked, *doing) for wish in _wishes(text, of_user=True)]
    made += [wish for text in does for wish in _wishes(text, of_user=False)]
    quoted = [wish for text in said if (wish := _wish(text)) is not None]
    return list(dict.fromkeys([*quoted, *made]))


def _wishes(text: str, *, of_user: bool) -> Iterator[str]:
    """A wish; where it is a list of tasks ("creating X, reviewing Y or fixing Z") each of them.

    Of users, what ends in `s` is what they do and not what they wish ("or brings an invoice").
    """
    clauses = re.split(r",\s+(?:and\s+|or\s+)?|\s+or\s+|;\s+", text)
    tasks = [c for c in clauses if len(c.split()) >= 4 and imperative(_plain(c)) is not None]
    wished = [c for c in tasks if not (of_user and _DOES.match(_plain(c)))]
    if len(tasks) >= 2:
        for task in wished:
            wish = _wish(task)
            if wish is not None:
                yield wish
        return
    wish = None if of_user and _DOES.match(_plain(text)) else _wish(text)
    if wish is not None:
        yield wish


def _plain(text: str) -> str:
    text = _ASIDE.sub("", _MARKS.sub("", text)).strip(" ,.;:-\u2013\u2014\"'")
    return re.sub(r"^(?:to|and|or|then|also|even|explicitly)\s+", "", text, flags=re.IGNORECASE)


def _wish(text: str) -> str | None:
    """A clause as a command of at most 22 words; None where it is none or breaks off."""
    text = _CUT.sub("", _END.split(_plain(text), maxsplit=1)[0]).strip(" ,")
    for form, own in _MINE:
        text = form.sub(own, text)
    command = imperative(text)
    if command is None or _ABOUT_SKILL.search(command) or _SPOILT.search(command):
        return None
    words = command.split()
    half = words[0].endswith(",") and re.match(r"\w+ing\b", words[1])  # a verb that is unknown
    if half or words[0].strip(",") in _NOT_FIRST:
        return None
    if len(words) > _LONGEST:
        # At the last comma or conjunction that leaves enough; it must not break off in the middle.
        cuts = [n for n in range(5, _LONGEST) if words[n - 1].endswith(",")]
        cuts = cuts or [n for n in range(6, _LONGEST) if words[n] in ("and", "or", "with", "for")]
        if not cuts:
            return None
        words = words[: cuts[-1]]
    while words and (words[-1].strip(",").lower() in _OPEN):
        words.pop()
    if len(words) < 4 or base_form(words[0].strip(",")) is None:
        return None
    return " ".join(words).rstrip(",;:")


def dressed(wish: str, style: str, draw: Random) -> str:
    """A command as a user says it."""
    if style == "terse":
        return wish
    if style == "chatty":
        before, after = draw.sample(_background(), 2)
        return draw.choice(_CHATTY).format(b=before, w=wish, c=after)
    return draw.choice(_ASKED).format(wish)


def joined(parts: list[str], style: str, draw: Random) -> str:
    """Several commands as one request."""
    if style == "list":
        head = draw.choice(("I need three things:", "here is what has to happen:", "to do:"))
        head = head.replace("three", {2: "two", 3: "three"}[len(parts)])
        return "\n".join([head, *(f"- {part}" for part in parts)])
    if style == "terse":
        return ", then ".join(parts)
    form = draw.choice(
        ("First {}. Then {}", "{}, and with the result {}", "please {}. After that {}")
    )
    text = form.format(parts[0], parts[1])
    text += f". In the end {parts[2]}." if len(parts) > 2 else "."
    text = text[0].upper() + text[1:]
    if style == "chatty":
        before, after = draw.sample(_background(), 2)
        text = f"{before} {text} {after}"
    return text
