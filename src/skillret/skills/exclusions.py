"""What a description says that a skill is not for.

Guides to writing skills advise it ("Not for charts; use chart-builder"), and any search that takes
it for a part of what the skill does finds the skill for exactly that. So it is told apart: the rest
is what is encoded and searched, and the exclusion counts against the skill.

Told by how clauses begin: an author who excludes something says so first. Of other languages than
English only the commonest phrases are known (`skillret.skills.exclusion_phrases`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from skillret.patterns import lazy_pattern
from skillret.skills import exclusion_phrases
from skillret.skills.elsewhere import NAME, sends_elsewhere, sent_elsewhere
from skillret.skills.hidden import strip_hidden
from skillret.skills.lines import fold_lines

__all__ = ["Purpose", "read_purpose"]

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
    r"(?P<full>[.!?]+[)\]*_]*(?:\s+|$)|[.!?]+['’](?=\s+[A-Z])|\n\s*\n|[。！？]|\s\|\s"
    r"|\s(?=[❌⛔🚫✗✘✖👎🙅✅✔☑]))"
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
_NEGATED = (
    rf"(?:do(?:es)?|should|must|can|may|will|is|are|was){_NOT}|can[’']?t|cannot|won[’']?t"
    r"|(?:(?:must|should|can|may|will)\s+)?never"
)
# `use` alone is a rule of the trade ("do not use inline styles"); `use for` speaks of the skill.
_ABOUT = (
    r"(?:this|it|(?:the|this)\s+skill|me|us)?\b\s*[:,]?\s*"
    r"(?:for|when|if|to|on|in|as|unless|while|with|outside|directly|where|until|after|before"
    r"|instead|whenever|against|at|by|just|only|merely|simply|$|[.:;,])"
)
_SUBJECT = r"(?:(?:this|the)(?:\s+(?:skill|one|tool|agent|guide|workflow))?|it|skill)\s+"
_ITSELF = r"(?:it|(?:this|the)\s+skill)\s+"
_COVERS = (
    r"(?:cover|handle|include|support|address|replace|help|deal|apply|extend|concern|do|touch"
    r"|manage|perform|provide|produce|create|build|write|edit|fix|work|teach|make|generate|run"
    r"|send|push|decide|judge|compose|alter|execute|review|explain|draw|answer|diagnose|design"
    r"|implement|deploy|publish|modify|change|translate|convert|analy[sz]e|test|verify|install"
    r"|process|parse|render|cut|trim|record|download|upload|schedule|rewrite|extract)"
)
_LABEL = (
    r"(?:exclu(?:sions?|des?|ding)|(?:excluded|unsupported)(?:\s+(?:topics?|tasks?|uses?))?"
    r"|non-?\s?goals?|(?:out[-\s]of|outside(?:\s+of)?|beyond|not(?:\s+in)?)[-\s]scope"
    r"(?:\s+(?:topics?|tasks?))?|limitations?|no-?gos?"
    r"|anti-?triggers?|counter-?\s?indications?|contra-?indications?|off[-\s]limits|exceptions?"
    r"|do[-\s]not[-\s](?:use|trigger)(?:[-\s](?:when|for|if))?|don[’']?ts?(?:\s+use(?:\s+(?:for|if|when))?)?"
    r"|(?:(?:does|will|can)(?:\s+not|n[’']t)|won[’']t|can[’']t|cannot)(?:\s+(?:do|cover|handle|support))?"
    r"|(?:bad|wrong|unsuitable|unfit)\s+for|negative\s+examples?"
    r"|not\s+(?!(?:need|requir|limit)ed\b)(?:[a-z]{2,18}ed|done|meant|suitable)(?:\s+(?:for|here))?"
    r"|what\s+(?:it|this(?:\s+skill)?)\s+(?:is\s+not|does\s+not\s+do|isn[’']t|doesn[’']t\s+do)"
    r"|negative\s+triggers?|when\s+(?:not(?:\s+to\s+(?:use|trigger)(?:\s+(?:this|it))?)?"
    r"|to\s+(?:avoid|skip)(?:\s+(?:this|it))?)"
    r"|not|skip|avoid|no)"
)
# What a skill is said not to be, whatever for.
_FIT = (
    r"(?:suit(?:able|ed)|designed|applicable|appropriate|recommended|useful|usable|helpful|responsible|aimed"
    r"|relevant"
    r"|(?:ideal|related|used|built|made|great|good|best|optimi[sz]ed)\s+(?:for|to|when|if|with)"
    r"(?!\s+(?:years|months|weeks|days|long)\b))"
)
# Of these, what is no beginning of anything else, so that a dash or a line's end may follow.
_LONG_LABEL = (
    r"(?:exclusions|non-?\s?goals|(?:out[-\s]of|not\s+in)[-\s]scope|anti-?triggers"
    r"|negative\s+triggers|when\s+not\s+to\s+(?:use|trigger)(?:\s+(?:this(?:\s+skill)?|it))?)"
)
# What may stand before it: "Please", "Explicitly", "That said,", "Warning:".
_BEFORE = (
    r"(?:(?:please|but|and|also|(?:note|be\s+aware)(?:\s+that)?|however|important|warning|caution"
    r"|attention|caveats?|(?:(?:hard|scope)\s+)?boundar(?:y|ies)|disclaimer|nb|n\.b\."
    r"|sorry|still|that\s+said|as\s+of\s+now|for\s+now|at\s+present|(?!(?:only|reply|apply|supply)\b)\w{2,20}ly)[,:]?\s+)*"
)
_LEADS = lazy_pattern(rf"[\W_]*(?=[a-z]){_BEFORE}(?<=,\s)", re.IGNORECASE)
# What a skill does without, or spares its user.
_SPARES = (
    r"(?:require|need|assume|depend|rely|matter|guarantee|promise|only|just|merely|simply|stop"
    r"|hesitate|break(?!\s+(?:into|down))|affect|interfere|lose|slow|overwrite|delete|leak|expose"
    r"|hurt|replace|care|mean|have|limit|restrict)"
)
# What it never does is a rule of how it works as often as a limit: "never commits secrets".
_RULES = (
    r"(?:add|alter|ask|auto|block|change|claim|collect|commit|crash|exceed|fabricate|fail|forget"
    r"|get|go|guess|hallucinate|harm|hide|invent|judge|keep|kill|know|leave|log|miss|mix|mutate|print"
    r"|push|quit|read|repeat|return|reveal|see|share|show|skip|sleep|store|tell|touch|trust|use|wait"
    r"|waste|assert)(?:e?s)?\b|\w+\s+(?:your|anything|assumptions|changes|data|up)\b"
)
# How an exclusion begins, where a sentence or a clause does.
_BEGINS = lazy_pattern(
    rf"""[\W_]*{_BEFORE}
    (?: not\s+(?:really\s+)?(?:for(?!\s+(?:long|profit)\b)|when|if|to\s+be|about|intended|meant
          |needed|required|an?\b|the\b|your\b|covered|{_FIT})\b
      | not[-_]for\b(?!-)
      | you\s+(?:do|should|must|can){_NOT}\s+use\s+(?:this|it|(?:this|the)\s+skill)\s+
        (?:for|when|if|to|on)\b
      | (?:it|this)[’']s\s+not\s+(?:for|meant|intended|{_FIT})\b
      | (?:{_NEGATED})\s+(?:suggest|offer|recommend|propose)\s+
        (?:(?:this|it|(?:this|the)\s+skill)\s+)?(?:for|when|if)\b
      | (?:{_SUBJECT})?(?:{_NEGATED})\s+(?:be\s+)?{_VERBS}(?:d|ed)?\s*{_ABOUT}
      | (?:{_SUBJECT})?(?:(?:do(?:es)?|can|will){_NOT}|won[’']?t|can[’']t|cannot)\s+{_COVERS}\b
      | {_ITSELF}never\s+(?!{_SPARES}|{_RULES})[a-z]+s\b
      | {_SUBJECT}(?:is|are|was){_NOT}\b(?!\s+(?:limited|restricted|only|just|tied|confined))
      | (?:(?:is|are)(?:\s+not|n[’']?t)|ain[’']?t)\s+(?:really\s+)?
        (?:for|meant|intended|about|an?|{_FIT})\b
      | skip\s+(?:this|it|for|when|if|on|only|unless|in|the\s+skill)\b
      | under\s+no\s+circumstances\b | don[’']?t\s+bother\b | do\s+not\s+bother\b
      | refrain\s+from\s+(?:using|triggering|invoking|loading)\b
      | (?:steer|stay|keep)\s+(?:well\s+)?(?:clear|away)
        (?:\s+(?:of|from)\s+(?:(?:this|the)\s+skill|this|it))?\s+(?:for|when|if|in)\b
      | (?:look\s+elsewhere|pass\s+on\s+(?:it|this(?:\s+skill)?)
          |leave\s+(?:it|this(?:\s+skill)?)\s+(?:alone|aside|out))\s+(?:for|when|if)\b
      | (?:decline|refuse)s?\s+(?:when|if)\s+(?:asked|requested|(?:the\s+)?(?:user|request|task)
          |some(?:one|body))\b
      | (?:{_SUBJECT})?(?:has|have)\s+(?:nothing\s+to\s+do\s+with|no\s+(?:support\s+for
          |business\s+(?:with|in)))\b
      | {_SUBJECT}(?:knows\s+nothing\s+about|stops\s+short\s+of|stays\s+(?:out\s+of|away\s+from))\b
      | {_SUBJECT}(?:is|are|was|were)\s+(?:never|in\s+no\s+way|by\s+no\s+means)\s+
        (?:for|an?|meant|intended|{_FIT})\b
      | (?:{_SUBJECT})?does\s+neither\b | neither\s+for\b | nothing\s+to\s+do\s+with\b
      | (?:nb|cons)\s*:\s*no\s+(?![^.;]*\b(?:needed|required)\b)
      | never\s+for\b | ignore\s+(?:this|it|for|when|if)\b
      | (?:irrelevant|inappropriate|unsuitable|unsuited|useless|ill-suited|unfit)\s+(?:for|to)\b
      | (?:poor|bad)\s+(?:fit|choice|match)\s+for\b
      | (?:poorly|badly|ill|less|least)\s+suited\s+(?:to|for)\b | unrelated\s+to\b
      | do\s+not\s+confuse\b | don[’']?t\s+confuse\b
      | avoid\s+(?:using|this|it|for|when|if|triggering|on)\b
      | except\b | with\s+the\s+exception\s+of\b
      | (?:(?:that|this)\s+)?exclud(?:es|ing)\b(?![^.;]*(?:\bfrom\b|:\s))
      | (?-i:NOT)\s+[a-z]+ing\b | rather\s+than\s+for\b
      | (?:refuse|decline|reject)\s+(?:requests?|tasks?|questions?)\s+(?:for|about|on)\b
        (?![^.;]*ly\W*$)
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
    rf"""[\W_]*{_BEFORE}
    (?: (?:{_SUBJECT})?(?:(?:does|will){_NOT}|won[’']?t)\s+(?!{_SPARES}\b)[a-z]
      | {_ITSELF}(?:can\s+not|can[’']?t|cannot)\s+
        (?!(?:{_SPARES}|be|fail|guess|know|see|tell)\b)[a-z]
      | we\s+(?:(?:do|will|can){_NOT}|won[’']?t|can[’']t|cannot|never)\s+(?!(?:require|need|assume
          |store|share|sell|keep|retain|save|collect|track|log|charge|use|ask|want|know|have|see
          |like|believe|expect|recommend|care|mean|only|just|merely|simply|yet)\b)[a-z]
      | i\s+(?:(?:do|will){_NOT}|won[’']?t)\s+{_COVERS}\b
      | exclude\s+(?![^.]*\bfrom\b)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# It does that if it is told to: "it never sends, files or deletes mail without approval".
_ON_LEAVE = lazy_pattern(
    rf"[\W_]*{_BEFORE}{_ITSELF}never\b[^.;]*\b(?:without|unless|until)\b", re.IGNORECASE
)
# Behind a mere comma only what can be nothing else.
_BEGINS_LATE = lazy_pattern(
    rf"(?:but\s+|and\s+)?(?:except\b|with\s+the\s+exception\s+of\b|(?:not|never)\s+(?:for|intended|meant|suit(?:able|ed)|designed)\b"
    rf"|(?:{_NEGATED})\s+{_VERBS}\s*(?:this|it|(?:the|this)\s+skill)?\s*(?:for|when|if|to|on)\b"
    rf"|(?:do(?:es)?\s+not|do(?:es)?n[’']?t)\s+(?:cover|handle|include|support|apply)\b)",
    re.IGNORECASE,
)
# Behind an exclusion, what the skill is for once more.
_POSITIVE = lazy_pattern(
    r"(?:but\s+)?(?:instead,?\s+)?(?:do\s+)?use\s+(?:it\s+|this\s+(?:skill\s+)?)?"
    r"(?:when|for|whenever|if|to)\b"
    r"|triggers?\b|covers?\b|sondern\b",
    re.IGNORECASE,
)
# The same in other words, where a clause stands for itself.
_DOES = lazy_pattern(
    r"(?:it|this(?:\s+skill)?|the\s+skill)(?:[’']s|\s+(?:is|has|can|will|may|should|must|\w+s))\b"
    r"(?!\s+(?:not|never|no|only|out|an?\s+(?:job|task))\b)(?!n[’']t)",
    re.IGNORECASE,
)
# Such an exclusion ends where the main clause begins.
_EXCEPT = lazy_pattern(
    r"[\W_]*(?:except|with\s+the\s+exception\s+of|rather\s+than|apart\s+from)\b", re.IGNORECASE
)
# Behind an exclusion, what goes on with it.
_NOR = lazy_pattern(
    r"[\W_]*(?:(?:nor|neither)\b|(?:the\s+)?same\s+(?:goes\s+|is\s+true\s+|applies\s+)?(?:for|to)\b"
    r"|likewise\b|\d{1,2}:\s)",
    re.IGNORECASE,
)
_BUT_FOR = lazy_pattern(
    r"(?:only\s+)?(?:for|to|when|if)\b|(?:great|good|best|ideal|perfect|fine|made|meant|suited)\s+"
    r"(?:for|at|with|when|if|to)\b",
    re.IGNORECASE,
)
_ONLY_FOR = lazy_pattern(r"(?:but\s+)?(?:rather|only)\s+(?:for|to|when|if)\b", re.IGNORECASE)
# Americans put the stop of a sentence inside the quotes that end it.
_STOPPED = lazy_pattern(r"[.!?][\"”]\s+[A-Z]")
_QUOTED_NAME = lazy_pattern(r"[\"“][a-z0-9]+(?:-[a-z0-9]+)+[\"”]")
# "Not (yet) for charts"; the number of a list's item, whose stop ends no sentence.
_MARKED = lazy_pattern(r"(?i:(?<=\bnot )\(\w{2,12}\)(?=\s))|(?<=[.:;!?]\s)\d{1,2}\.(?=\s)")
_LINK = lazy_pattern(r"\[([\w /-]{1,80})\]\([^()\s]{1,200}\)")
_SKILL_NAME = lazy_pattern(r"`[\w:/@-]+`")
# What makes such words the beginning of another statement, or of somebody's condition.
_OWN_VERB = (
    r"\b(?:use|uses|run|see|try|prefer|call|is|are|was|were|be|been|it|we|you|if|when|where|that"
    r"|which|who|because)\b"
)
# Parts of a sentence that say what else there is, or what is left out.
_ASIDE = lazy_pattern(
    r"(?P<unlike>(?:\bunlike|\bas\s+opposed\s+to|\bin\s+contrast\s+to|\bnot\s+to\s+be\s+confused"
    r"\s+with)\s+[^,.;:()\u2014]+(?:,\s+(?:which|that)\s+[^,.;:()\u2014]+)?,?)"
    r"|\beverything(?P<but>\s+(?:but|except|apart\s+from|other\s+than)\s+[^,.;:()\u2014]+)"
    r"|\b(?:anything|all\s+(?:\w+\s+){0,2}\w+)(?P<except>\s+(?:except|apart\s+from)\s+[^,.;:()\u2014]+)"
    rf"|(?P<others>\b(?:(?:different|distinct)\s+from|complements)\s+{NAME}"
    r"(?:,\s+(?:which|that)\s+[^,.;:()\u2014]+|\s+\([^()]*\)))"
    rf"|(?P<whereas>\bwhereas\s+{NAME}\s+[^,.;:()\u2014]+)"
    r"|(?P<tag><(?:exclude[sd]?|not[-_](?:for|use)|do[-_]not[-_]use(?:[-_](?:for|when))?|exclusions)>[^<]*"
    r"(?:</[\w-]+>)?)"
    r"|(?<!-)\b(?:only(?!\s+(?:the|a|an)\b)|limited\s+to)\b[^.;]{0,60}?"
    r"(?:[,(\u2013\u2014-]|;(?!\s*(?:never|no)\b))\s*(?P<only>(?:not|never|no)\s+"
    r"(?!only\b|just\b|even\b|more\b)[^.;)]+)"
    # A sentence that says what the skill is for, and goes on: "Covers charts, not maps."
    r"|(?:\A|(?<=[.!?]\s))(?:(?:(?:it|(?:this|the)\s+skill)\s+)?(?:handles|covers|supports"
    r"|deals\s+with|works\s+(?:on|with)|is\s+for)|this\s+is\s+for|(?:use\s+(?:it\s+|this\s+(?:skill\s+)?)?)?for)\s"
    rf"(?:(?!{_OWN_VERB})[^.;()]){{2,160}}?(?:,\s|\sbut\s|\s[\u2013\u2014-]+\s)(?:but\s+)?"
    r"(?P<scope>not\s+(?!(?:only|just|even|merely|simply|necessarily|always|all|every|yet|the\s+other)\b)(?:[^.;()]|\([^()]*\))+\.?)",
    re.IGNORECASE,
)
_ASIDE_HINTS = (
    *("unlike", "different from", "distinct from", "complements", "whereas", "apart from"),
    *("opposed", "contrast", "confused", "everything", "only", "limited to", " except "),
    *("<not", "<do", "<excl", ", not ", "but not ", "- not ", "\u2013 not ", "\u2014 not "),
)
# Plain words, in lower case, are looked for faster than patterns. A heading without one of these
# begins no section that is left out, ...
_SIGNS = ("❌", "⛔", "🚫", "✗", "✘", "✖", "👎", "🙅")  # before what a skill is not for
_HINTS = (  # and no exclusion begins, ...
    *("not", "n't", "n’t", "never", "skip", "avoid", "except", "exclu", "ignore", "irrelev"),
    *("leave ", "limit", "goal", "scope", "trigger", "no ", "lacks ", "unsuit", "useless"),
    *("inappropriate", "ill-suited", "unfit", "poor ", "bad ", *_SIGNS),
    *("doesnt", "dont", "isnt", "wont", "shouldnt", "cannot", "rather than for"),
    *("refuse ", "decline ", "reject ", "no:", "suited ", "unrelated", "nothing ", "unsupported"),
    *(
        "under no ",
        "refrain ",
        "steer clear",
        *("stay away", "keep away", "stay clear", "keep clear", "well clear", "well away"),
        *(
            "look elsewhere",
            "pass on ",
            "wrong for",
            "no-go",
            "stays out",
            "stays away",
            "in no way",
            "by no means",
        ),
        "off-limits",
        "off limits",
        "indications",
    ),
    *("negative ", "stops short", "neither", "cons:", "nb: no"),
)
_MOST = 8192  # characters of a description that are looked at; real ones have some hundred


def _plain(description: str) -> str:
    """As long as the description, without what is quoted and without what marks words."""
    plain = _QUOTED().sub(_masked, description)
    plain = _MARKED().sub(_unmarked, plain)
    if "](" in plain:
        plain = _LINK().sub(lambda link: f" {link[1]}".ljust(len(link[0])), plain)
    return _EMPHASIS().sub(_spaces, plain) if "*" in plain or "_" in plain else plain


def _unmarked(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}:" if found[0][0] != "(" else " " * len(found[0])


def _spaces(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _masked(quoted: re.Match[str]) -> str:
    """As long as what is quoted; the name of a skill stays, and a stop that ends the sentence."""
    text = quoted[0]
    if text[0] == "`" and _SKILL_NAME().fullmatch(text):
        return f" {text[1:-1]} " if text[1:-1].lower() in ("not", "never") else text
    if text[0] in '"“' and _QUOTED_NAME().fullmatch(text):
        return f" {text[1:-1]} "
    if text[0] in '"“' and _STOPPED().match(quoted.string, quoted.end() - 2):
        return "'" * (len(text) - 1) + "."
    return "'" * len(text)


_OPENS = {",": "comma", "，": "comma", "but": "but", ", but": "then but"}


class _Clause(NamedTuple):
    """A stretch of a description, and what stands before it."""

    start: int
    end: int
    opens: str  # `full`, `comma`, `but`, `then but` or `half`
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
    if abroad or sends_elsewhere(lower):
        cut += sent_elsewhere(plain, name, cut, abroad=abroad)
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
    for clause in _led(_clauses(plain), plain):
        text = plain[clause.start : clause.end].lstrip()
        if began is not None:
            over = clause.opens == "full" or clause.depth < began.depth
            if not over and not _resumes(plain[began.start : began.end], clause, text):
                spans[-1] = (spans[-1][0], clause.end)
                continue
            began = None
        inner = clause.opens == "full" and clause.start > 0  # a sentence, but not the first
        goes_on = bool(spans) and spans[-1][1] == clause.start and _NOR().match(text) is not None
        if (
            goes_on
            or _begins(text, clause.opens in ("comma", "but"), abroad)
            or (inner and _BEGINS_SENTENCE().match(text))
        ):
            spans.append((clause.start, clause.end))
            began = clause
    return [span for span in spans if not _ON_LEAVE().match(plain, *span)]


def _led(clauses: Iterable[_Clause], plain: str) -> Iterator[_Clause]:
    """The clauses, each with what leads in to it: "That said, it is not for charts"."""
    lead: _Clause | None = None
    for clause in clauses:
        joined = clause if lead is None else clause._replace(start=lead.start, opens=lead.opens)
        lead = joined if _LEADS().fullmatch(plain, joined.start, joined.end) else None
        if lead is None:
            yield joined
    if lead is not None:
        yield lead


def _resumes(exclusion: str, clause: _Clause, text: str) -> bool:
    """Whether a clause behind the beginning of an exclusion says what the skill is for."""
    if _POSITIVE().match(text) or _is_but(clause, text):
        return True
    if _EXCEPT().match(exclusion) and clause.opens == "comma":
        return True
    return clause.opens in ("half", "but", "then but") and _DOES().match(text) is not None


def _is_but(clause: _Clause, text: str) -> bool:
    """Whether a clause behind an exclusion says what the skill is for: "but for charts"."""
    pattern = _BUT_FOR if clause.opens.endswith("but") else _ONLY_FOR
    return pattern().match(text) is not None


def _begins(text: str, late: bool, abroad: bool) -> bool:
    """Whether a clause begins an exclusion; late is one that stands behind a mere comma."""
    if (_BEGINS_LATE if late else _BEGINS)().match(text):
        return True
    abroad_begins = exclusion_phrases.BEGINS_LATE if late else exclusion_phrases.BEGINS
    if abroad and abroad_begins().match(text):
        return True
    return not late and text.lstrip("*_- ").startswith(_SIGNS)


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
