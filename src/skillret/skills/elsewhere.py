"""Where a description sends its reader to another skill: "for charts, use chart-builder".

A name alone tells little: the tools of a trade are named and used like skills ("use clang-format
for C++"). What reads the same for both sends away only if there is more to it: the mark of a
command, the word "skill", a name that says what the sentence is about, or that somebody was sent
away just before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from skillret.patterns import lazy_pattern
from skillret.skills import exclusion_phrases

__all__ = ["NAME", "sends_elsewhere", "sent_elsewhere"]

_HYPHENATED = r"[a-z0-9]+(?:[-_:/][a-z0-9]+)+"
# A name that may be another skill's, as it is written in a sentence.
NAME = rf"(?:the\s+)?[`/@$\"'“‘]*{_HYPHENATED}[`\"'”’]*"
_POINTS = (
    r"(?:use|see(?:\s+also)?|prefer|try|choose|run|invoke|pick|load|consult|turn\s+to"
    r"|reach\s+for|switch\s+to|go\s+to|defer\s+to|refer\s+to|hand\s+(?:over|off)\s+to)"
)
# Nobody uses a tool by these.
_SEES = (
    r"(?:see(?:\s+also)?|consult|ask|turn\s+to|go\s+to|switch\s+to|(?:defer|refer)\s+to"
    r"|hand\s+(?:over|off)\s+to|point\s+(?:them|him|her|the\s+user)\s+to)"
)
_OTHER = r"(?:an?\s+(?:different|separate)|an?other|some\s+other)\s+(?:skill|tool|agent|one)"
_SKILL = r"(?-i:[`$/@'\"]?[a-z0-9]+(?:[-:/][a-z0-9]+)+[`'\"]?)"
_CODE = r"`[\w:/@.-]+`"
_THEIRS = rf"(?:{NAME}|{_CODE}|the\s+[\w-]+\s+skill)(?:\s+skill)?"
_DONE = r"(?:handled|covered|done|managed|dealt\s+with|taken\s+care\s+of)"
# "Is explicitly out of scope": how much it is so changes nothing.
_LY = r"(?:\s+(?:\w{2,20}ly|all|always|also|both|still|yet))?"
_IS = rf"(?:is|are){_LY}"
_IS_NOT = rf"{_IS}(?:\s+not|n[’']?t){_LY}"
_DUTY = r"(?:job|business|task|purpose|concern|domain|territory|responsibility|remit|turf)"
# Who is asked for something, not what happens meanwhile: "if the build fails, stop".
_ASKED = (
    r"(?:ask(?:s|ed|ing)?|wants?|requests?|requested|users?|prompts?|tasks?|some(?:one|body)"
    r"|any(?:one|body)|people|you)"
)
# What a sentence is about, if it says something of that alone.
_TOPIC = (
    r"(?:\W*(?:please\s+)?(?:note|nb|important)(?:\s*:|\s+that)\s+)?"
    r"(?!\W*(?:if|when|while|where|once|unless|because|use)\b)"
    r"(?:(?!\b(?:that|which|who|when|if|whether|what|why|how|where|because|finds?|checks?|says?"
    r"|tells?|detects?|ensures?|explains?)\b)[^.;:?()]){2,160}?"
)
# A clause that sends its reader elsewhere.
_ELSEWHERE = lazy_pattern(
    rf"""\b{_POINTS}\b(?!\s+when(?:ever)?\b)(?:(?!\binstead\s+of\b).)*?\b
        (?:instead(?!\s+of|,?\s+use\s+(?:it|this)\b)|for\s+(?:that|those|these|such)(?!\s+an?\b))\b
      | ^\W*(?:for|if|when|to|on)\b[^;]*?,?\s+(?:please\s+)?(?:{_SEES}\s+{NAME}
          |{_POINTS}\s+{NAME}\s+skill)\W*$
      | \b{_POINTS}\s+(?:the\s+)?{NAME}\s+skill\s+(?:for|when|if|to)\b
      | ^{_TOPIC}\b(?:{_IS}\s+(?:out[-\s]of[-\s]scope
            |{_DONE}\s+(?:(?:by|in|with)\s+{NAME}|elsewhere\b))
          |(?:is|are)\s+not{_LY}\s+(?:covered|supported|handled
            |(?:with)?in(?:\s+its|\s+the)?\s+scope))
      | \b{_POINTS}\s+{_OTHER}\b
      | (?:`|{NAME}\s+skill)\s+(?:is\s+(?:for|better)|handles|covers|deals\s+with)\b
      | ^\W*(?:hand|route|delegate|send|redirect|forward|pass)\b[^`]{{1,60}}?\bto\s+(?:the\s+)?`
      | \bgoes\s+to\s+{NAME}\W*$
      | \bthere(?:\s+is|[’']s)\s+(?:another|a\s+(?:separate|different))\s+skill\s+for\b
      | \bwrong\s+(?:skill|tool|choice|place)\b
      | :\s*(?:please\s+)?{_POINTS}\s+{NAME}\W*$
      | ^\W*(?:prefer|refer\s+to|hand\s+over\s+to|route\s+to|delegate\s+to|defer\s+to)\s+{NAME}\s+
        (?:when|if)\b
      | ^\W*instead\s+of\s+(?:this|it)\b
      | \bbelongs?\s+(?:to|in)\s+{NAME}
      | \bare\s+excluded\W*$
      | ^[^.;:?]{{3,80}}:\s*not\s+this(?:\s+(?:one|skill))?\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NO_SKILL = (
    r"(?:above|below|docs?|documentation|examples?|here|links?|notes?|readme|references?|resources?"
    r"|sections?|skill|the|this|usage)\b"
)
# What is said of a topic that stands before it, in a sentence of its own.
_SAID = rf"""(?:
        (?:{_IS_NOT}|{_IS}\s+no)\s+(?:(?:its|our|this\s+skill[’']s|(?:a\s+)?part\s+of\s+
          (?:this\s+skill|it))(?:\s+{_DUTY})?
          |(?:for|what|(?:some|any)thing)\s+(?:this(?:\s+skill)?|it)
           (?:(?:\s+is|[’']s)\s+for|\s+(?:does|handles|covers|supports))?)
      | {_IS}\s+none\s+of\s+(?:its|our|this\s+skill[’']s)\s+{_DUTY}
      | (?:{_IS}|fall|falls|lie|lies)\s+(?:well\s+)?(?:outside|beyond)\s+
          (?:(?:of\s+)?(?:its|the|this(?:\s+skill[’']s)?)\s+scope(?:\s+of\s+(?:this\s+skill|it))?
            |(?:of\s+)?(?:this(?:\s+skill)?|it))
      | {_IS_NOT}\s+(?:supported|covered|handled|included)
          (?:\s+(?:here|yet|by\s+(?:it|this\s+skill)))?
      | {_IS}\s+(?:unsupported|excluded|off[-\s]limits|an?\s+(?:\w+\s+)?non-?\s?goal
          |(?:\w+\s+)?non-?\s?goals)
      | {_IS}\s+(?:a\s+(?:separate|different)|another)\s+skill
      | (?:has|have)\s+(?:its|their)\s+own\s+skills?
      | (?:has|have)\s+(?:a\s+)?separate\s+skills?(?:\s*:.*)?
      | (?:belongs?|goes?)\s+elsewhere
      | (?:(?:{_IS}|gets?)|(?:should|must|can|will|needs?\s+to|has\s+to|have\s+to)\s+be)\s+
          (?:(?:best|better)\s+)?(?:(?:{_DONE}|served)\s+(?:by|in|with|through)|left\s+to)\s+
          (?:{_THEIRS}(?:\s+and\s+{_THEIRS})?|{_OTHER})
      | {_IS}\s+(?:{_THEIRS}|some(?:one|body)\s+else|{_OTHER})(?:[’']s?)?\s+{_DUTY}
      | (?:{_IS}\s+(?:the\s+{_DUTY}\s+of|up\s+to)|(?:should\s+)?(?:go|goes)\s+(?:to|in|into)
          |lives?\s+in|belongs?\s+(?:to|in)|should\s+go\s+to)\s+{_THEIRS}
      | (?:excluded|not\s+(?:included|supported|covered))
    )\W*$"""
# The same of a sentence which is not the first one: that says what the skill itself is.
_ELSEWHERE_LATER = lazy_pattern(
    rf"""^\W*(?:please\s+)?(?:see(?:\s+also)?|ask|turn\s+to|go\s+to|switch\s+to|defer\s+to
          |hand\s+(?:over|off)\s+to)\s+(?:the\s+)?
        {_SKILL}\s+for\b
      | ^\W*see\s+(?!{_NO_SKILL})(?-i:[a-z][a-z0-9]+)\s+for\s+
        (?!(?:more|details?|the\s+full|full|an?)\b)
      | ^\W*for\s+(?!(?:more|details?|full|examples?|usage|further)\b)[^.;]{{2,80}},\s+see\s+
        (?!{_NO_SKILL})(?-i:[a-z][a-z0-9-]+)\W*$
      | ^\W*{_SKILL}\s+(?:handles(?!\s+(?:are|is|were|was)\b)|owns|covers
        |takes\s+care\s+of|is\s+better\s+for)\b
      | ^\W*instead,?\s+use\s+{NAME}\s+for\b | ^\W*use\s+{NAME},?\s+(?:and\s+)?not\s+(?:this|it)\b
      | ^\W*(?:for|if|when)\b[^.;]{{2,120}},?\s+(?:there\s+is\s+{NAME}\W*$
          |{NAME}\s+is\s+(?:what\s+you\s+(?:want|need)|the\s+(?:right|better)\b))
      | ^\W*(?:if|when|whenever)\b[^.;]{{3,120}},\s*(?:then\s+)?(?:say\s+no\b
          |this\s+skill\s+(?:does\s+not|doesn[’']t)\s+apply
          |(?:do\s+not|don[’']t|never)\s+(?:use|load|trigger|invoke|activate|apply)
           (?:\s+(?:it|this(?:\s+skill)?))?\W*$)
      | ^\W*(?:if|when|whenever)\b[^.;]{{0,60}}?\b{_ASKED}\b[^.;]{{2,120}}?,\s*
        (?:then\s+|please\s+|just\s+|politely\s+)?
        (?:decline|refuse|abstain|stand\s+down|(?:look|go)\s+elsewhere)
        (?:\s+(?:it|this|politely|the\s+(?:request|task)))?\W*$
      | ^\W*(?:the\s+)?(?:sibling|sister)\s+skill\b
      | ^\W*(?:an?\s+(?:separate|different)|another)\s+skill\b[^.;:]*?\b(?:handles|covers|does
          |deals\s+with|takes\s+care\s+of|is\s+for|exists\s+for)\b
      | ^\W*(?:whoever|anyone|those|people|users?)\b[^.;]{{3,120}}?\bshould\s+(?:use|see)\s+
        {NAME}\W*$
      | ^[^.;:?]{{3,80}}:\s*(?:not\s+(?:supported|here|covered|handled|included|in\s+scope)
          |unsupported|no
          |excluded|out\s+of\s+scope)\W*$
      | ^\W*(?:route|redirect|defer|refer|delegate|hand(?:\s+(?:off|over))?)\b
        (?!\s+requests?\s+to\b)[^.;]{{1,60}}?\sto\s+(?:the\s+)?{_SKILL}(?:\s+skill)?\s*
        (?:[,;.]|and\b|when\b|instead\b|$)
      | ^\W*leave\s+[^.;]{{2,80}}?\s+to\s+{_THEIRS}\W*$
      | ^{_TOPIC}\s{_SAID}
    """,
    re.IGNORECASE | re.VERBOSE,
)
# What may as well be a tool of the trade.
_MAYBE = lazy_pattern(
    rf"""^\W*(?:for|if|when|to|on)\b[^;]*?,?\s+(?:please\s+)?(?:use|prefer|try|choose|run|invoke
        |pick|load|reach\s+for)\s+(?P<task>{NAME}|[/$@][a-z0-9]+)\W*$
      | ^\W*(?:for|if|when|on)\b[^;:]*:\s*(?P<label>{NAME})\W*$
      | ^\W*(?:pour|para|per|f\u00fcr)\b[^;]*?,?\s+
        (?:utilise[rz]?|us[ae]r?|usare|utili[cz][ae]r?|verwenden?|nutzen?)\s+(?P<abroad>{NAME})\W*$
      | ^\W*f\u00fcr\b[^;]*?\s(?P<german>{NAME})\s+(?:verwenden|nutzen|benutzen)\W*$""",
    re.IGNORECASE | re.VERBOSE,
)
_MAYBE_LATER = lazy_pattern(
    rf"""^\W*(?:please\s+)?(?:use|prefer|try)\s+(?P<use>(?:the\s+)?(?:{_SKILL}|[/$@][a-z0-9]+))\s+for\b
      | ^[^\u2192>():]{{3,120}}(?:\u2192|[-=]>)\s*(?:(?:use|see)\s+)?(?P<arrow>{_SKILL})\W*$
      | ^[\w][\w\s,&'/-]{{2,60}}:\s*(?P<colon>{_SKILL})\W*$
      | ^\W*(?:prefer|delegate\s+to|route\s+to)\s+(?P<prefer>{NAME})\s+for\b
      | ^\W*(?:please\s+)?(?!run\b){_POINTS}\s+
        (?!(?P<twice>[a-z]+)-\w+-(?P=twice)\b|(?:mid|pre|post|dry|read)-)
        (?P<when>(?:the\s+)?(?:{_SKILL}|[/$@][a-z0-9]+))(?:\s+skill)?\s+(?:when|if|whenever)\s
      | ^\W*delegates\b[^.;]{{1,60}}?\sto\s+(?P<delegate>(?:the\s+)?{_SKILL})\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A question and its answer: "Charts? Use chart-builder."
_ANSWERED = lazy_pattern(
    rf"^[^.!?;:\n]{{3,120}}\?\s+(?:no|(?:use|see|try|prefer|that(?:\s+is|[’']s))\s+{NAME})\W*$",
    re.IGNORECASE,
)
# A skill by a name without a hyphen.
_CALLED = lazy_pattern(
    rf"^\W*(?:(?:for|if|when)\b[^;]*?,?\s+)?(?:please\s+)?{_POINTS}\s+"
    r"the\s+(?P<called>(?!x+\b)[\w-]+)\s+skill(?:\s+for\b|\W*$)",
    re.IGNORECASE,
)
_IS_ASKED = lazy_pattern(rf"\b{_ASKED}\b", re.IGNORECASE)
# For what is but a part of its trade a skill sends on: "for colours alone use color-palette".
_ALONE = lazy_pattern(r"\b(?:alone|only|just|merely|purely)\b", re.IGNORECASE)
_BRACKETS = lazy_pattern(r"\(([^()]*)\)")
_SENTENCE = lazy_pattern(
    r"[.!?]+(?:\s+|$)|[.!?]+['’](?=\s+[A-Z])|[。！？；]|;\s+|\s[\u2013\u2014-]\s|\n"
)
_WORD = lazy_pattern(r"(?!(?:and|for|not|off|out|the|with)\b)[^\W_]{3,}")
_LONG = 3  # words of a name that no tool has
# Words of tools that are written with a hyphen.
_TOOLS = frozenset(
    """
    apt aws black cargo clang cli compose conda cpp docker esbuild ffmpeg flask gcloud gh git go
    gradle grpc helm image js kube kubectl lib llama magick maven native next node npm npx nuxt php
    pip pnpm py pytest python rails react rs ruby scikit sdk sitter spring swift tailwind tex torch
    ts uv vite vue whisper yarn yt
    """.split()
)
# Plain words, in lower case, are looked for faster than patterns: a text without one of these sends
# nobody elsewhere, unless it is to a name.
_HINTS = (
    *("instead", "for that", "for those", "for these", "for such", "scope", "covered", "supported"),
    *("handled", "done ", "managed", "wrong", "belong", "elsewhere", "another", "other skill"),
    *("different", "separate", "own skill", "` is ", "` handles", "` covers", "` deals"),
    *(" skill for", " skill.", "skill is ", "skill handles", "skill covers", "skill deals"),
    *(" to `", "to the `", "goes to", "go to ", "go in ", "live in ", "lives in ", "excluded"),
    *("see ", "ask ", "turn to ", " handles ", " owns ", " covers ", "takes care", "is better "),
    *("route ", "redirect ", "defer ", "refer ", "delegate", "hand ", "switch to ", "->", "=>"),
    *("\u2192", "included", " not this", "there is ", "that's ", "that’s ", "does not apply"),
    *("n't apply", "say no", "do not ", "don't ", "never ", "? no", ": no", "unsupported"),
    *("off-limits", "off limits", "leave ", " job", "part of this", "outside", "beyond"),
    *("sibling ", "sister ", "should ", "für ", "pour ", "para ", "point ", "care of"),
    *("right skill", "dealt with", "what you ", "left to", "non-goal", "nongoal", "non goal"),
    *("decline", "refuse", "served", "abstain"),
    *("stand down", "up to ", " for this", " for it", "what "),
    *("something ", "anything "),
    *("domain", "territory", "responsib", "remit", "turf", "business", "task", "concern"),
)
_NAMED_HINT = lazy_pattern(rf"{_POINTS}\s+(?:{NAME}|[/$@]\w)|:\s{NAME}(?:\W*$|\.\s)")


def sends_elsewhere(lower: str) -> bool:
    """Whether a text, in lower case, may send its reader elsewhere."""
    return any(hint in lower for hint in _HINTS) or _NAMED_HINT().search(lower) is not None


def sent_elsewhere(
    plain: str, name: str, excluded: Sequence[tuple[int, int]], *, abroad: bool
) -> Iterator[tuple[int, int]]:
    """Where sentences and brackets stand that send their reader to another skill.

    Args:
        plain: A description without what is quoted, and without its skill's name.
        name: Of the skill.
        excluded: Where it says itself what it is not for, in order.
        abroad: Whether it may hold phrases of other languages than English.
    """
    starts = [0, *(m.end() for m in _SENTENCE().finditer(plain)), len(plain)]
    spans = list(pairwise(starts))
    sure = set(_sure(plain, spans, abroad=abroad))
    yield from sorted(sure)
    own = f"{name} {plain[: starts[1]]}"
    for start, stop in spans:
        if (start, stop) not in sure and _names_other(
            plain[start:stop], own, name, later=start > 0, told=bool(sure or excluded)
        ):
            yield start, stop
    for aside in _BRACKETS().finditer(plain):
        if _ELSEWHERE().search(aside[1]):
            yield aside.span()


def _sure(
    plain: str, spans: Sequence[tuple[int, int]], *, abroad: bool
) -> Iterator[tuple[int, int]]:
    """The sentences that send their reader elsewhere and can mean nothing else."""
    last = 0
    for start, stop in spans:
        sentence = plain[start:stop]
        if plain[last:start].rstrip().endswith("?") and _ANSWERED().match(plain[last:stop]):
            yield last, stop
        elif (
            _ELSEWHERE().search(sentence)
            or (start and _ELSEWHERE_LATER().match(sentence))
            or (abroad and exclusion_phrases.ELSEWHERE().search(sentence))
        ):
            yield start, stop
        last = start


def _names_other(sentence: str, own: str, name: str, *, later: bool, told: bool) -> bool:
    """Whether a sentence names what is likelier another skill than a tool.

    Args:
        sentence: A sentence.
        own: What is surely said of the skill itself.
        name: Of the skill.
        later: Whether it is not the first sentence of its description.
        told: Whether the description says elsewhere what the skill is not for.
    """
    called = _CALLED().match(sentence) if later else None
    if called is not None:
        return not _akin(called["called"], name)
    found = _MAYBE().search(sentence) or (_MAYBE_LATER().match(sentence) if later else None)
    if found is None:
        return False
    other = found[found.lastgroup or 0]
    words = _WORD().findall(other)
    rest = sentence.replace(other, " ")
    kind = found.lastgroup
    if kind == "label" and (":" in other or "skill" in rest.lower()):
        return True
    if kind in ("arrow", "colon", "label"):  # "bar -> bar-chart" stays with charts
        return (told or _akin(other, rest)) and not _akin(other, own)
    tool = not _TOOLS.isdisjoint(re.split(r"[-_:/]", other.lower()))
    if kind == "when":  # "use log-scale when values differ": a request tells more than a state
        asked = _IS_ASKED().search(rest) and not all(_akin(word, own) for word in words)
        return told or (bool(asked) and not tool) or _akin_alone(words, rest, own)
    told = told or _ALONE().search(rest) is not None
    if told or other.lstrip("`\"'")[:1] == "$" or ":" in other or len(words) >= _LONG:
        return True
    # "For charts use chart-builder": of 125 in public libraries one was no skill.
    if kind == "task" and later and not tool:
        return True
    return not tool and _akin_alone(words, rest, own)


def _akin_alone(words: Sequence[str], rest: str, own: str) -> bool:
    """Whether a word of a name is akin to the rest of its sentence, and not to the skill."""
    return any(_akin(word, rest) and not _akin(word, own) for word in words)


def _akin(words: str, others: str) -> bool:
    """Whether a word of one text begins as one of the other does: "migrate" and "migrations"."""
    known = _WORD().findall(others.lower())
    return any(_related(a, b) for a in _WORD().findall(words.lower()) for b in known)


def _related(a: str, b: str) -> bool:
    short = min(len(a), len(b))
    same = next((i for i in range(short) if a[i] != b[i]), short)
    return same >= max(3, min(short, 6) - 1)
