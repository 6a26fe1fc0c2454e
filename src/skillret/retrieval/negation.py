"""What a query says is not asked for: "write X, not Y", "don't do Y, just do X", "skip Y and do X".

Its words fit a skill as those of the task do. It is left out where something else is asked for
beside it; a query that says nothing else stays whole, and so does one whose rest points back to it
("I don't have a plan, just make one").
"""

from __future__ import annotations

import re

from skillret.patterns import lazy_pattern

__all__ = ["denied_before", "only_declines", "without_negated"]

_SPACE = r"(?<!\s)\s+"  # of a long run no more than one beginning is tried
_UP_TO = r"[^,.;:!?\n]{3,80}"
_END = r"(?=\s*(?:[.;!?\n]|$))"
_START = r"(?:^|(?<=[.!?]\s)|(?<=\n))\W{0,5}"
_NOT = (
    r"(?:do not|don['’]?t|no need to|need not|needn['’]?t|without having to)"
    r"(?!\s+(?:know|understand|see|get|remember|mind|care|worry|think|have|work|want\s+to)\b)"
)
# "Don't" as it is said to somebody; "we don't" tells what is the case.
_DO_NOT = rf"(?:please\s+)?(?:do not|don['’]?t)(?!{_NOT[_NOT.index('(?!') + 3 :]}"
_NO_THING = (  # "not" before these denies no task
    r"(?!\s*(?:only|just|sure|yet|that|too|so|really|even|much|certain|clear|able|allowed|possible"
    r"|because|to mention|the (?:first|only)|a problem|working|found|in|on|at|from|by|when|if|all"
    r"|every|exactly|necessarily)\b)"
)
# Told by what follows, in a story too.
_TOLD = (
    # "I don't need X, only Y", "don't do X, just do Y"
    lazy_pattern(
        rf"(?:\b(?:i|we|please|you)\s+)?\b{_NOT}\s+{_UP_TO}[,.;]\s*(?:but\s+)?"
        r"(?:only|just|instead|rather|simply|merely)\b",
        re.IGNORECASE,
    ),
    # "skip X and do Y", "forget about X, do Y", "stop doing X and do Y"
    lazy_pattern(
        r"^\W*(?:please\s+|let['’]?s\s+)?"
        rf"(?:(?:(?:skip|forget(?:\s+about)?|never\s?mind|stop\s+\w+ing\b)\s+{_UP_TO}?"
        rf"(?:[,.;]\s*(?:and\s+)?|\s+and\s+))|ignore\s+{_UP_TO}?[,.;]\s*(?:and\s+)?)"
        r"(?:then\s+|now\s+|just\s+|instead\s+|only\s+)*(?=\w)",
        re.IGNORECASE,
    ),
    # "I already have X, now do Y"
    lazy_pattern(
        rf"(?:\b(?:i|we)(?:['’]ve)?\s+)already\s+{_UP_TO}[,.;]\s*(?:and\s+|so\s+|but\s+)?"
        r"(?:now|just|only|next)\b",
        re.IGNORECASE,
    ),
)
_NEGATED = (
    # "don't do X, do Y"; "no X please, Y"
    lazy_pattern(
        rf"{_START}(?:{_DO_NOT}\s+{_UP_TO},\s*(?!(?:but|because|since|as|so|and|or|which|that|it)\b)"
        rf"|no\s+{_UP_TO}?,?\s(?:please|thanks|thx)\s*[,.;:]\s*)(?=\w)",
        re.IGNORECASE,
    ),
    # "do Y, don't do X", "do Y but don't do X", "do Y. Don't do X."
    lazy_pattern(
        rf"(?:[,;]\s*(?:but\s+|and\s+)?|{_SPACE}but\s+|(?<=[.!]\s)){_DO_NOT}\s+{_UP_TO}{_END}",
        re.IGNORECASE,
    ),
    # "Y, not X"
    lazy_pattern(rf",\s*(?:and\s+)?not\b{_NO_THING}\s+{_UP_TO}{_END}", re.IGNORECASE),
    # "Y instead of doing X", "Y rather than an X"
    lazy_pattern(
        rf"{_SPACE}(?:instead\s+of|rather\s+than)\s+(?:an?\s|\w+ing\b){_UP_TO}{_END}",
        re.IGNORECASE,
    ),
    # "I don't want X." as a sentence
    lazy_pattern(
        rf"{_START}(?:i|we)\s+(?:do not|don['’]?t)\s+(?:want|need)\s+(?!to\b|it\b|that\b|this\b)"
        rf"{_UP_TO}(?:[.!]|$)",
        re.IGNORECASE,
    ),
)
_SIGNS = ("not", "n't", "n’t", "dont", "no ", "instead", "rather", "skip", "forget", "mind", "stop")
_MORE_SIGNS = ("ignore", "already", "without")
_STORY = 50  # words; what a longer query merely denies says what it is about
_LEAST = 3  # words that are left
_BRIEF = 5  # words of a rest that may do no more than point back
_POINTS_BACK = lazy_pattern(r"\b(?:it|them|ones?|some)\b|\bthat\W*$", re.IGNORECASE)


def without_negated(text: str) -> str:
    """A query without what it says is not asked for."""
    lower = text.lower()
    if not any(sign in lower for sign in (*_SIGNS, *_MORE_SIGNS)):
        return text
    brief = len(text.split()) <= _STORY
    for negated in (*_TOLD, *_NEGATED) if brief else _TOLD:
        rest, cuts = negated().subn(" ", text)
        rest = rest.strip(" ,;.\n")
        if cuts and _asks_by_itself(rest):
            text = rest
    return text


def _asks_by_itself(rest: str) -> bool:
    words = rest.split()
    points_back = len(words) <= _BRIEF and _POINTS_BACK().search(rest) is not None
    return len(words) >= _LEAST and not points_back


_DECLINES = lazy_pattern(
    r"\W{0,5}(?:(?:please|ok|okay|no|well|actually|thanks)\W{1,3}){0,3}(?:"
    r"(?:do\s+not|don['’]?t|never)\s+(?:use|invoke|run|load|apply|trigger|call)\s+"
    r"(?:(?:the|this|that|any)\s+)?[\w-]{1,64}(?:\s+skills?)?(?:\s+(?:now|today|here|again|please))?"
    r"|never\s*mind\b[^,;.:!?]{0,60}"
    r"|(?:i|we)\s+(?:do\s+not|don['’]?t)\s+need\s+(?:an?|any|the|that|this)\s+[^,;.:!?]{1,40}"
    r"|skip\s+[^,;.:!?]{1,40}\s(?:this\s+time|for\s+now|today)"
    r")\W{0,5}$",
    re.IGNORECASE,
)
_BUT = lazy_pattern(r"\b(?:but|just|only|instead|until|unless|to|if|when)\b", re.IGNORECASE)
_DENIES = lazy_pattern(
    r"(?:\b(?:not|never|without|skip|avoid|except|instead\s+of|rather\s+than|dont)|n['’]t)"
    r"(?:\s+(?:the|to|use|using|run|invoke|load|call)){0,3}\s+$",
    re.IGNORECASE,
)
_DENIAL = 40  # characters before a name that may deny it


def only_declines(text: str) -> bool:
    """Whether a query says no more than what is not wanted: "don't use X", "never mind the Y"."""
    return _DECLINES().match(text) is not None and _BUT().search(text) is None


def denied_before(text: str, start: int) -> bool:
    """Whether what begins at a place of a query is denied there: "use X, not Y"."""
    return _DENIES().search(text, max(0, start - _DENIAL), start) is not None
