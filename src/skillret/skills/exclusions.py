"""What a description says that a skill is not for.

Guides to writing skills advise it ("Not for charts; use chart-builder"), and any search that takes
it for a part of what the skill does finds the skill for exactly that. So it is told apart: the rest
is what is encoded and searched, and the exclusion counts against the skill.

Told by how clauses begin: an author who excludes something says so first. Of other languages than
English only the commonest phrases are known (`skillret.skills.exclusion_phrases`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from skillret.patterns import lazy_pattern
from skillret.skills import exclusion_phrases
from skillret.skills.hidden import strip_hidden
from skillret.skills.lines import fold_lines

__all__ = ["Purpose", "read_purpose", "without_exclusions"]

_KNOWN = 1 << 15  # descriptions whose purpose is remembered: a build reads each twice; some 20 MB
_LEAST = 1  # words that are left of a description at least; it is no exclusion as a whole
# Chinese, Japanese and Thai put nothing between words.
_WORDS = lazy_pattern("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2}|\\w+")


class Purpose(NamedTuple):
    """A description taken apart: what the skill is for, and what it is not for (may be empty)."""

    wanted: str
    excluded: str


# What stands in quotes is somebody's words, and what stands in code is a name: neither ends a
# sentence or begins an exclusion.
_QUOTED = lazy_pattern(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|\b(?:e\.g|i\.e|etc|vs|cf)\.(?!\s+[A-Z])")
_BREAK = lazy_pattern(
    r"(?P<full>[.!?]+[)\]*_]*(?:\s+|$)|[.!?]+['’](?=\s+[A-Z])|\n\s*\n|[。！？])"
    r"|(?P<half>;\s+|；|，|\sbut\s+|\s[-\u2013\u2014]+\s+|\u2014|\n|\s?[(\[]|[)\]]|,\s+(?:but|and|or|nor)\s+|,\s+)",
)
_EMPHASIS = lazy_pattern(r"(?<![\w*_])[*_]{1,3}(?=\w)|(?<=\w)[*_]{1,3}(?![\w*_])")
# What begins an exclusion though nothing stands before it: "... detection DO NOT USE FOR: rooms".
_UNSTOPPED = lazy_pattern(
    r"\s(?=(?:D[Oo]\s+(?:NOT|not)|do\s+NOT|D(?:ON|on)['’][Tt]|N(?:EVER|ever)|(?:MUST|SHOULD)\s+NOT)\s+"
    r"(?i:(?:use|trigger|invoke|activate|load|apply)\s+(?:this\s+(?:skill\s+)?|it\s+)?"
    r"(?:for|when|if))\b)"
    r"|(?<!\bare)(?<!\bis)(?<!\bbe)(?<!\band)\s(?=NOT\s+(?i:for)\b)"
    r"|\s(?=and\s+(?:not|NOT)\s+(?:for|FOR)\b)"
)
_UNSTOPPED_HINTS = (
    *("NOT", "Do not", "ON'T", "on't", "ON’T", "on’t"),
    *("NEVER", "Never", "and not for"),
)
_VERBS = (
    r"(?:use|invoke|trigger|activate|load|fire|run|apply|call|choose|pick|select|reach"
    r"|auto-?(?:trigger|invoke|activate|load|run|apply|select))"
)
_NOT = r"(?:\s+not|n[’']?t)"
_NEGATED = rf"(?:do(?:es)?|should|must|can|will|is|are|was){_NOT}|cannot|won[’']?t|never"
# `use` alone is a rule of the trade ("do not use inline styles"); `use for` speaks of the skill.
_ABOUT = (
    r"(?:this|it|(?:the|this)\s+skill|me|us)?\b\s*[:,]?\s*"
    r"(?:for|when|if|to|on|in|as|unless|while|with|outside|directly|where|until|after|before"
    r"|instead|whenever|against|at|by|just|only|merely|simply|$|[.:;,])"
)
_SUBJECT = r"(?:(?:this|the)(?:\s+(?:skill|one|tool|agent|guide|workflow))?|it|skill)\s+"
_COVERS = (
    r"(?:cover|handle|include|support|address|replace|help|deal|apply|extend|concern|do|touch"
    r"|manage|perform|provide|produce|create|build|write|edit|fix|work|teach|make|generate|run"
    r"|send|push|decide|judge|compose|alter|execute|review|explain|draw|answer|diagnose|design"
    r"|implement|deploy|publish|modify|change|translate|convert|analy[sz]e|test|verify|install"
    r"|process|parse|render|cut|trim|record|download|upload|schedule|rewrite|extract)"
)
_LABEL = (
    r"(?:exclu(?:sions?|des?|ding)|non-?\s?goals?|(?:out[-\s]of|not\s+in)[-\s]scope|limitations?"
    r"|anti-?triggers?|do[-\s]not[-\s]use(?:[-\s]when)?|don[’']?ts?"
    r"|negative\s+triggers?|when\s+not\s+to\s+(?:use|trigger)(?:\s+(?:this|it))?|not|skip|avoid|no)"
)
# Of these, what is no beginning of anything else, so that a dash or a line's end may follow.
_LONG_LABEL = (
    r"(?:exclusions|non-?\s?goals|(?:out[-\s]of|not\s+in)[-\s]scope|anti-?triggers"
    r"|negative\s+triggers|when\s+not\s+to\s+(?:use|trigger)(?:\s+(?:this(?:\s+skill)?|it))?)"
)
# How an exclusion begins, where a sentence or a clause does.
_BEGINS = lazy_pattern(
    rf"""[\W_]*(?:please\s+|but\s+|and\s+|note(?:\s+that)?:?\s+|however,?\s+|important:?\s+)*
    (?: not\s+(?:really\s+)?(?:for|when|if|to\s+be|about|intended|meant|suit(?:able|ed)|designed
          |applicable|appropriate|recommended|needed|required|an?\b|the\b|your\b|useful|usable
          |aimed|relevant|covered
          |(?:ideal|related|used|built|made|great|good|best|optimi[sz]ed)\s+(?:for|to|when|if|with)
           (?!\s+(?:years|months|weeks|days|long)\b))\b
      | not[-_]for\b
      | you\s+(?:do|should|must|can){_NOT}\s+use\s+(?:this|it|(?:this|the)\s+skill)\s+
        (?:for|when|if|to|on)\b
      | (?:it|this)[’']s\s+not\s+(?:for|meant|intended|suit(?:able|ed)|designed|appropriate)\b
      | (?:{_NEGATED})\s+(?:suggest|offer|recommend|propose)\s+
        (?:(?:this|it|(?:this|the)\s+skill)\s+)?(?:for|when|if)\b
      | (?:{_SUBJECT})?(?:{_NEGATED})\s+(?:be\s+)?{_VERBS}(?:d|ed)?\s*{_ABOUT}
      | (?:{_SUBJECT})?(?:(?:do(?:es)?|can|will){_NOT}|won[’']?t|can[’']t|cannot)\s+{_COVERS}\b
      | {_SUBJECT}(?:is|are|was){_NOT}\b(?!\s+(?:limited|restricted|only|just|tied|confined))
      | (?:is|are)(?:\s+not|n[’']?t)\s+(?:for|meant|intended|about|an?)\b
      | skip\s+(?:this|it|for|when|if|on|only|unless|in|the\s+skill)\b
      | never\s+for\b | ignore\s+(?:this|it|for|when|if)\b
      | (?:irrelevant|inappropriate|unsuitable|unsuited|useless|ill-suited|unfit)\s+(?:for|to)\b
      | (?:poor|bad)\s+(?:fit|choice|match)\s+for\b
      | do\s+not\s+confuse\b | don[’']?t\s+confuse\b
      | avoid\s+(?:using|this|it|for|when|if|triggering|on)\b
      | except\b | with\s+the\s+exception\s+of\b
      | exclud(?:es|ing)\b
      | (?-i:NOT)\s+[a-z]+ing\b | rather\s+than\s+for\b
      | (?:refuse|decline|reject)\s+(?:requests?|tasks?|questions?)\s+(?:for|to|about|on)\b
      | leave\s+.{{1,80}}?\s+to\s+(?:the\s+)?[`/\w]+-
      | (?:no|lacks)\s+(?:good|use|substitute|replacement|support)\s+for\b
      | {_LABEL}\s*:
      | limits\s*:\s*(?:no|not|does\s+not|cannot)\b
      | (?-i:(?=[A-Z])){_LONG_LABEL}\s*(?:[-\u2013\u2014]|\n)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# At the beginning of a sentence which is not the first one: any verb, but for those of what a skill
# can do without ("does not need Docker").
_BEGINS_SENTENCE = lazy_pattern(
    rf"""[\W_]*
    (?: (?:{_SUBJECT})?(?:(?:does|will){_NOT}|won[’']?t)\s+(?!(?:require|need|assume|depend|rely
          |matter|guarantee|promise|only|just|merely|simply|stop|hesitate
          |break(?!\s+(?:into|down))|affect|interfere|lose|slow|overwrite|delete|leak|expose|hurt|replace|care|mean|have|limit|restrict)\b)[a-z]
      | exclude\s+(?![^.]*\bfrom\b)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# Behind a mere comma only what can be nothing else.
_BEGINS_LATE = lazy_pattern(
    rf"(?:but\s+|and\s+)?(?:except\b|(?:not|never)\s+(?:for|intended|meant|suit(?:able|ed)|designed)\b"
    rf"|(?:{_NEGATED})\s+{_VERBS}\s*(?:this|it|(?:the|this)\s+skill)?\s*(?:for|when|if|to|on)\b"
    rf"|(?:do(?:es)?\s+not|do(?:es)?n[’']?t)\s+(?:cover|handle|include|support|apply)\b)",
    re.IGNORECASE,
)
_NAME = r"(?:the\s+)?[`/@$\"]*[a-z0-9]+(?:[-_:/][a-z0-9]+)+[`\"]*"
_POINTS = (
    r"(?:use|see|prefer|try|choose|run|invoke|pick|load|consult"
    r"|reach\s+for|switch\s+to|go\s+to|defer\s+to)"
)
# A clause that sends its reader elsewhere.
_ELSEWHERE = lazy_pattern(
    rf"""\b{_POINTS}\b(?:(?!\binstead\s+of\b).)*?\b(?:instead(?!\s+of)|for\s+(?:that|those|these|such))\b
      | ^\W*(?:for|if|when|to|on)\b[^;]*?,?\s+(?:please\s+)?{_POINTS}\s+{_NAME}(?:\s+skill)?\W*$
      | \b{_POINTS}\s+(?:the\s+)?{_NAME}\s+skill\s+(?:for|when|if|to)\b
      | \b(?:is|are)\s+(?:out\s+of\s+scope|not\s+(?:covered|in\s+scope|supported|handled)
          |(?:handled|covered|done)\s+(?:by|in|with)\s+{_NAME})
      | \b(?:is|are)\s+(?:handled|covered|done|dealt\s+with)\s+elsewhere\b
      | \b{_POINTS}\s+(?:an?other|a\s+different|some\s+other)\s+(?:skill|tool|one|agent)\b
      | ^\W*(?:for|if|when|on)\b[^;:]*:\s*{_NAME}\W*$
      | (?:`|{_NAME}\s+skill)\s+(?:is\s+(?:for|better)|handles|covers|deals\s+with)\b
      | ^\W*(?:hand|route|delegate|send|redirect|forward|pass)\b[^`]{{1,60}}?\bto\s+(?:the\s+)?`
      | \bgoes\s+to\s+{_NAME}\W*$
      | \bthere(?:\s+is|[’']s)\s+(?:another|a\s+(?:separate|different))\s+skill\s+for\b
      | \bwrong\s+(?:skill|tool|choice|place)\b
      | :\s*(?:please\s+)?{_POINTS}\s+{_NAME}\W*$
      | ^\W*(?:prefer|refer\s+to|hand\s+over\s+to|route\s+to|delegate\s+to|defer\s+to)\s+{_NAME}\s+
        (?:for|when|if)\b
      | ^\W*instead\s+of\s+(?:this|it)\b
      | \bbelongs?\s+(?:to|in)\s+{_NAME}
      | \bare\s+excluded\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
# The same of a sentence which is not the first one: that says what the skill itself is.
_SKILL = r"(?-i:[`$/@]?[a-z0-9]+(?:[-:/][a-z0-9]+)+`?)"
_NO_SKILL = (
    r"(?:above|below|docs?|documentation|examples?|here|links?|notes?|readme|references?|resources?"
    r"|sections?|skill|the|this|usage)\b"
)
_ELSEWHERE_LATER = lazy_pattern(
    rf"""^\W*(?:use|see|prefer|try|go\s+to|switch\s+to)\s+(?:the\s+)?{_SKILL}\s+for\b
      | ^\W*see\s+(?!{_NO_SKILL})(?-i:[a-z][a-z0-9]+)\s+for\s+
        (?!(?:more|details?|the\s+full|full|an?)\b)
      | ^\W*for\s+(?!(?:more|details?|full|examples?|usage|further)\b)[^.;]{{2,80}},\s+see\s+
        (?!{_NO_SKILL})(?-i:[a-z][a-z0-9-]+)\W*$
      | ^\W*{_SKILL}\s+(?:handles(?!\s+(?:are|is|were|was)\b)|owns)\b
      | ^\W*(?:route|redirect|defer|refer|delegate|hand(?:\s+(?:off|over))?)\b[^.;]{{1,60}}?\sto\s+
        (?:the\s+)?{_SKILL}(?:\s+skill)?\s*(?:[,;.]|and\b|when\b|instead\b|$)
      | ^[^\u2192>():]{{3,120}}(?:\u2192|->)\s*(?:use\s+|see\s+)?{_SKILL}\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BRACKETS = lazy_pattern(r"\(([^()]*)\)")
_SENTENCE = lazy_pattern(
    r"[.!?]+(?:\s+|$)|[.!?]+['’](?=\s+[A-Z])|[。！？；]|;\s+|\s[\u2013\u2014-]\s|\n"
)
# Behind an exclusion, what the skill is for once more.
_POSITIVE = lazy_pattern(
    r"(?:but\s+)?(?:do\s+)?use\s+(?:it\s+|this\s+(?:skill\s+)?)?(?:when|for|whenever|if|to)\b"
    r"|triggers?\b|covers?\b",
    re.IGNORECASE,
)
_BUT_FOR = lazy_pattern(r"(?:only\s+)?(?:for|to|when|if)\b", re.IGNORECASE)
_ONLY_FOR = lazy_pattern(r"(?:but\s+)?(?:rather|only)\s+(?:for|to|when|if)\b", re.IGNORECASE)
# Americans put the stop of a sentence inside the quotes that end it.
_STOPPED = lazy_pattern(r"[.!?][\"”]\s+[A-Z]")
_SKILL_NAME = lazy_pattern(r"`[\w:/@-]+`")
# Parts of a sentence that say what else there is, or what is left out.
_ASIDE = lazy_pattern(
    r"(?P<unlike>(?:\bunlike|\bas\s+opposed\s+to|\bin\s+contrast\s+to|\bnot\s+to\s+be\s+confused"
    r"\s+with)\s+[^,.;:()\u2014]+(?:,\s+(?:which|that)\s+[^,.;:()\u2014]+)?,?)"
    r"|\beverything(?P<but>\s+(?:but|except)\s+[^,.;:()\u2014]+)"
    r"|\b(?:anything|all\s+(?:\w+\s+){0,2}\w+)(?P<except>\s+except\s+[^,.;:()\u2014]+)"
    rf"|(?P<sent>[^.!?;:\n]{{3,120}}\?\s+(?:use|see|try|prefer)\s+{_SKILL}\W*(?:[.;]|$))"
    r"|(?P<tag><(?:exclude[sd]?|not[-_](?:for|use)|do[-_]not[-_]use(?:[-_](?:for|when))?|exclusions)>[^<]*"
    r"(?:</[\w-]+>)?)"
    r"|(?<!-)\b(?:only|limited\s+to)\b[^.;]{0,60}?[,(\u2013\u2014-]\s*(?P<only>(?:not|never)\s+"
    r"(?!only\b|just\b|even\b|more\b)[^.;)]+)",
    re.IGNORECASE,
)
_ASIDE_HINTS = (
    *("unlike", "opposed", "contrast", "confused", "everything", "only", "limited to", " except "),
    *("<not", "<do", "<excl", "? use", "? see", "? try", "? prefer"),
)
_HEADING = lazy_pattern(
    r"(?:(?P<signs>#{1,6})[ \t]+(?P<title>.*)|\*\*(?P<bold>[^*]{3,80})\*\*[ \t]*:?[ \t]*$)",
)
# The lines that may be headings, each behind its line break.
_HEADINGS = lazy_pattern(r"\n(?:#|\*\*).*")
_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # beside the usual one
_FENCE = lazy_pattern(r"[ ]{0,3}(`{3,}|~{3,})")
_WHAT_NOT = r"""(?:when\s+(?:not\s+to\s+(?:use|apply|trigger|invoke)|to\s+avoid)\b | avoid\s+when\b
      |(?:(?:何|什么)[时時]候?)?不(?:应|應|该|該|要)?(?:适|適|使)?用 | wann\s+nicht\b
      |(?:do\s+not|don['’]t|never)\s+(?:use|trigger|invoke|apply)(?:\s+(?:this(?:\s+skill)?|it))?
       (?:\s+(?:for|when|if|to)\b.*)?\W*$
      |(?:constraints\s*/\s*)?non-?\s?goals?\b | out[-\s]of[-\s]scope\b | exclusions?\W*$
      |not\s+(?:for|suitable|ideal|intended|meant)\b | skip\s+(?:this\s+)?(?:skill\s+)?(?:when|if)\b
      |what\s+this(?:\s+skill)?\s+(?:is\s+not|isn['’]t|does\s+not|doesn['’]t|will\s+not)\b
      |this\s+skill\s+(?:is\s+not|isn['’]t|does\s+not|doesn['’]t)\b)"""
_SECTION = lazy_pattern(rf"[\W_]*{_WHAT_NOT}", re.IGNORECASE | re.VERBOSE)
# Such a heading in a text whose lines end as usual: most texts have none.
_ANY_SECTION = lazy_pattern(
    rf"\n(?:\#{{1,6}}[ \t]+|\*\*)(?:[^\w\n]|_)*{_WHAT_NOT}",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# Plain words, in lower case, are looked for faster than patterns. A heading without one of these
# begins no section that is left out, ...
_SIGNS = ("❌", "⛔", "🚫", "✗", "✘")  # before what a skill is not for
_SECTION_HINT = lazy_pattern(
    r"\bnot\b|n['’]t\b|\bnever\b|scope|goals|exclusion|\bskip\b|\bavoid\b|不|nicht"
)
_HINTS = (  # and no exclusion begins, ...
    *("not", "n't", "n’t", "never", "skip", "avoid", "except", "exclu", "ignore", "irrelev"),
    *("leave ", "limit", "goal", "scope", "trigger", "no ", "lacks ", "unsuit", "useless"),
    *("inappropriate", "ill-suited", "unfit", "poor ", "bad ", *_SIGNS),
    *("doesnt", "dont", "isnt", "wont", "shouldnt", "cannot", "rather than for"),
    *("refuse ", "decline ", "reject "),
)
_ELSEWHERE_HINTS = (  # and nobody is sent elsewhere, unless it is to a name.
    *("instead", "for that", "for those", "for these", "for such", "scope", "covered", "supported"),
    *("handled", "done ", "wrong", "belong", "elsewhere", "another", "other skill", "different"),
    *("` is ", "` handles", "` covers", "` deals", "skill is ", "skill handles", "skill covers"),
    *("skill deals", " to `", "to the `", "goes to", "are excluded"),
)
_LATER_HINTS = (
    "see ",
    " handles ",
    " owns ",
    "route ",
    "redirect ",
    "defer ",
    "refer ",
    "delegate ",
    "hand ",
    "go to ",
    "switch to ",
    "->",
    "\u2192",
)
_NAMED_HINT = lazy_pattern(
    rf"(?:{_POINTS}|refer\s+to|hand\s+over\s+to|route\s+to|delegate\s+to)\s+{_NAME}"
    rf"|:\s{_NAME}(?:\W*$|\.\s)"
)
_MOST = 8192  # characters of a description that are looked at; real ones have some hundred


def _plain(description: str) -> str:
    """As long as the description, without what is quoted and without what marks words."""
    plain = _QUOTED().sub(_masked, description)
    return _EMPHASIS().sub(_spaces, plain) if "*" in plain or "_" in plain else plain


def _spaces(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _masked(quoted: re.Match[str]) -> str:
    """As long as what is quoted; the name of a skill stays, and a stop that ends the sentence."""
    text = quoted[0]
    if text[0] == "`" and _SKILL_NAME().fullmatch(text):
        return f" {text[1:-1]} " if text[1:-1].lower() in ("not", "never") else text
    if text[0] in '"“' and _STOPPED().match(quoted.string, quoted.end() - 2):
        return "'" * (len(text) - 1) + "."
    return "'" * len(text)


_OPENS = {",": "comma", "，": "comma", "but": "but"}


class _Clause(NamedTuple):
    """A stretch of a description, and what stands before it."""

    start: int
    end: int
    opens: str  # `full`, `comma`, `but` or `half`
    depth: int  # of brackets


@lru_cache(_KNOWN)
def read_purpose(description: str, name: str = "") -> Purpose:
    """Take a description apart. What it is not for is empty where it says nothing of the kind.

    Args:
        description: Of a skill.
        name: Of the skill: a clause that sends its reader there excludes nothing.
    """
    description = strip_hidden(description)
    if "\n" in description:
        description = fold_lines(description)
    plain = _plain(description[:_MOST])
    if name:
        plain = plain.replace(name, "x" * len(name))
    cut, lower = [], plain.lower()
    if any(hint in plain for hint in _UNSTOPPED_HINTS):
        plain = _UNSTOPPED().sub("\n", plain)
    abroad = any(hint in lower for hint in exclusion_phrases.HINTS)
    if abroad or any(hint in lower for hint in _HINTS):
        cut += _excluded(plain, abroad)
    if abroad or any(hint in lower for hint in _ELSEWHERE_HINTS) or _NAMED_HINT().search(lower):
        cut += _sent_elsewhere(plain, abroad)
    elif any(hint in lower for hint in _LATER_HINTS):
        cut += _sent_on(plain)
    if any(hint in lower for hint in _ASIDE_HINTS):
        cut += [m.span(m.lastgroup or 0) for m in _ASIDE().finditer(plain)]
    if not cut:
        return Purpose(description, "")
    kept, out, place = [], [], 0
    for start, end in sorted(cut):
        if start > place:
            kept.append(description[place:start])
        if end > place:
            out.append(description[max(start, place) : end])
            place = end
    kept.append(description[place:])
    wanted = " ".join(" ".join(kept).split()).strip(" ;,-\u2013\u2014")
    if len(_WORDS().findall(wanted)) < _LEAST:
        return Purpose(description, "")
    return Purpose(wanted, " ".join(" ".join(out).split()))


def _excluded(plain: str, abroad: bool) -> list[tuple[int, int]]:
    """Where exclusions stand, those in other languages than English too."""
    spans: list[tuple[int, int]] = []
    began: _Clause | None = None  # the clause that began the exclusion which is being read
    for clause in _clauses(plain):
        text = plain[clause.start : clause.end].lstrip()
        if began is not None:
            over = clause.opens == "full" or clause.depth < began.depth
            if not over and not _POSITIVE().match(text) and not _is_but(clause, text):
                spans[-1] = (spans[-1][0], clause.end)
                continue
            began = None
        inner = clause.opens == "full" and clause.start > 0  # a sentence, but not the first
        if _begins(text, clause.opens in ("comma", "but"), abroad) or (
            inner and _BEGINS_SENTENCE().match(text)
        ):
            spans.append((clause.start, clause.end))
            began = clause
    return spans


def _is_but(clause: _Clause, text: str) -> bool:
    """Whether a clause behind an exclusion says what the skill is for: "but for charts"."""
    pattern = _BUT_FOR if clause.opens == "but" else _ONLY_FOR
    return pattern().match(text) is not None


def _begins(text: str, late: bool, abroad: bool) -> bool:
    """Whether a clause begins an exclusion; late is one that stands behind a mere comma."""
    if (_BEGINS_LATE if late else _BEGINS)().match(text):
        return True
    abroad_begins = exclusion_phrases.BEGINS_LATE if late else exclusion_phrases.BEGINS
    if abroad and abroad_begins().match(text):
        return True
    return not late and text.lstrip("*_- ").startswith(_SIGNS)


def _sent_elsewhere(plain: str, abroad: bool) -> Iterator[tuple[int, int]]:
    """Where sentences and brackets stand that send their reader to another skill."""
    for start, stop in pairwise(_sentences(plain)):
        sentence = plain[start:stop]
        if (
            _ELSEWHERE().search(sentence)
            or (start and _ELSEWHERE_LATER().search(sentence))
            or (abroad and exclusion_phrases.ELSEWHERE().search(sentence))
        ):
            yield start, stop
    for aside in _BRACKETS().finditer(plain):
        if _ELSEWHERE().search(aside[1]):
            yield aside.span()


def _sent_on(plain: str) -> Iterator[tuple[int, int]]:
    """The same where a sentence says it but by the name of another skill."""
    for start, stop in pairwise(_sentences(plain)):
        if start and _ELSEWHERE_LATER().search(plain[start:stop]):
            yield start, stop


def _sentences(plain: str) -> list[int]:
    """Where sentences begin, and where the last one ends."""
    return [0, *(m.end() for m in _SENTENCE().finditer(plain)), len(plain)]


def _clauses(plain: str) -> list[_Clause]:
    """The clauses of a text, in order; a bracket belongs to what stands in it."""
    clauses = []
    start, opens, depth = 0, "full", 0
    for found in _BREAK().finditer(plain):
        sign = found[0].strip()
        stop = found.start() if sign in ("(", "[") else found.end()
        clauses.append(_Clause(start, stop, opens, depth))
        depth = max(0, depth + (sign in ("(", "[")) - (sign in (")", "]")))
        opens = "full" if found["full"] else _OPENS.get(sign, "half")
        start = stop
    clauses.append(_Clause(start, len(plain), opens, depth))
    return [c for c in clauses if c.end > c.start]


def without_exclusions(body: str) -> str:
    """A skill's instructions without the sections on when not to use it."""
    text = f"\n{body}"
    if not (_ANY_SECTION().search(text) or any(map(body.__contains__, _LINE_ENDS))):
        return body
    if _SECTION_HINT().search("".join(_HEADINGS().findall(text)).lower()) is None:
        return body
    kept, below = [], 0  # the level of the heading whose section is left out
    fence = ""
    for line in body.splitlines(keepends=True):
        mark = _FENCE().match(line) if line.lstrip(" ")[:1] in ("`", "~") else None
        if mark is not None:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        plain = fence or mark or line[:1] not in ("#", "*")
        heading = None if plain else _HEADING().match(line)
        if heading is not None:
            level = len(heading["signs"] or "#######")
            if not below or level <= below:
                title = heading["title"] or heading["bold"] or ""
                below = level if _SECTION().match(title) else 0
        if not below:
            kept.append(line)
    return "".join(kept)
