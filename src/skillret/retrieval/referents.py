"""What a query means by "this": material that was pasted below it, by the name people give it.

"Have a look at this before I push" says too little to find a skill by; with a diff below, it is
"this diff". Only what a line of the material tells for sure gets a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skillret.patterns import lazy_pattern

__all__ = [
    "ABOUT_LOG",
    "LOG",
    "MATERIAL",
    "ends_trace",
    "kind_of",
    "names_material",
    "only_acknowledges",
    "only_thanks",
    "with_name",
]

# Nouns for what is pasted.
MATERIAL = (
    r"(?:text|message|e-?mail|mail|letter|article|document|doc|paragraph|passage|notes?|memo"
    r"|transcript|post|draft|sentence|abstract|essay|report|story|section|thread|conversation|chat"
    r"|comment|announcement|description|log|output|error|trace|code|snippet|function|diff|config"
    r"|content)s?\b"
)
DIFF = "diff"
LOG = "error log"
ABOUT_LOG = f"find out what is wrong in this {LOG}"
# What ends a trace, and is not indented as the rest is.
_ERROR = lazy_pattern(
    r"[\w.]*(?:Error|Exception|Panic|Warning)\b.*|error(?:\[\w+\])?: .*", re.DOTALL
)
# What people call "this" who do not say what it is, by a line of it.
_NAMES = (
    (DIFF, lazy_pattern(r"diff --git |@@ -\d+|\+\+\+ \S|Index: \S|rename from \S")),
    ("SQL query", lazy_pattern(r"(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.IGNORECASE)),
    (
        LOG,
        lazy_pattern(
            r"Traceback \(|Caused by: |panic: |npm (?:ERR!|error)|thread '|at [\w.$<>]+ ?\("
            r"|File \"|goroutine \d+ \[|E\d{4} \d\d:"
            r"|(?:\[?\d[\d:.,TZ/ +-]*\]? ?)?\[?(?:ERROR|FATAL|Error|error|panic)\b"
        ),
    ),
)
_FILE = lazy_pattern(r"(?:\+\+\+|---|Index:|rename to|diff --git) .*?\.(\w{1,5})(?=\s|$)")
# By the ends of their files; what is written in all of them says nothing.
_LANGUAGES = {
    **dict.fromkeys(("c", "h"), "C"),
    **dict.fromkeys(("cc", "cpp", "hpp", "cxx"), "C++"),
    **dict.fromkeys(("js", "mjs", "jsx"), "JavaScript"),
    **dict.fromkeys(("ts", "tsx"), "TypeScript"),
    **dict.fromkeys(("kt", "kts"), "Kotlin"),
    **dict.fromkeys(("sh", "bash"), "shell"),
    **dict.fromkeys(("css", "scss"), "CSS"),
    **{"cs": "C#", "dart": "Dart", "ex": "Elixir", "go": "Go", "java": "Java", "lua": "Lua"},
    **{"php": "PHP", "py": "Python", "rb": "Ruby", "rs": "Rust", "scala": "Scala"},
    **{"sql": "SQL", "swift": "Swift", "tex": "LaTeX", "tf": "Terraform", "vue": "Vue"},
}
_KIND = lazy_pattern(rf"\bth(?:is|ese) (?:[\w+#]+ )?(?:{'|'.join(name for name, _ in _NAMES)})\b")
# Not before what it may belong to ("these numbers", "this Friday", "get this done").
_UNNAMED = lazy_pattern(
    r"\bth(?:is|ese)\b(?=\W*$|\s*[^\w\s'’-]|\n|\s+(?:before|after|until|so|and|or|but|to|in|into|on|for"
    r"|from|with|at|as|if|when|while|because|since|is|was|are|were|does|do|did|has|have|had|can"
    r"|could|should|would|will|might|may|must|looks?|seems?|fails?|works?|takes?|keeps?|happens?"
    r"|breaks?|crashe?s?|runs?|gets?|goes|gives?|says?|shows?|means?|makes?|needs?|sounds?|shorter"
    r"|longer|better|nicer|clearer|friendlier|more|less|right|ok|okay|correct|wrong|good|bad|slow"
    r"|fast|new|safe|please|pls|now|again|up|out|over|here|there|not|all|really|even|still|just|too"
    r"|already|only|properly|quickly)\b)",
    re.IGNORECASE,
)
_HERE = lazy_pattern(r"\bhere(?=\W*$)", re.IGNORECASE)
_ACKNOWLEDGED = lazy_pattern(  # what follows tells more often than it asks
    r"\W*(?:thanks|thank you|thx|great|perfect|awesome|cool|nice|ok(?:ay)?|done|yes|no)\b",
    re.IGNORECASE,
)
_THANKED = lazy_pattern(  # and this asks for nothing at all
    r"\W*(?:thanks|thank you|thx)\b(?!.*(?:\?|\b(?:can|could|please|but|now|next|also|fix)\b))",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_ACKNOWLEDGED = lazy_pattern(  # and no more than that
    r"(?:\W*\b(?:(?:many )?thanks|thank you|thx|(?:so|very) much|a lot|great|perfect|awesome|cool"
    r"|nice|ok(?:ay)?|yes|no|fyi|done|danke|merci|gracias)\b){1,4}\W*$",
    re.IGNORECASE,
)
_NAMED = lazy_pattern(
    rf"\b(?:{MATERIAL}|(?:patch|change|commit|PR|MR|pull request|merge request|query|SQL"
    r"|stack ?trace|traceback|exception|warning|file|script|class|method|test|table|build|bug"
    r"|crash)(?:e?s)?\b)",
    re.IGNORECASE,
)


def kind_of(material: Sequence[str], *, language: bool = False) -> str:
    """What people call such material, if a line of it tells; else nothing.

    Args:
        material: Its lines.
        language: Of a diff say also of which language its files are.
    """
    for kind, line_of_it in _NAMES:
        if any(line_of_it().match(line.strip()) for line in material):
            told = language and kind == DIFF
            return f"{_language_of(material)} {kind}".strip() if told else kind
    return ""


def _language_of(material: Sequence[str]) -> str:
    """The language of the files of a diff, if all that are told are of one."""
    ends = {found[1].lower() for line in material if (found := _FILE().match(line))}
    languages = {_LANGUAGES.get(end, "") for end in ends}
    return languages.pop() if len(languages) == 1 else ""


def with_name(own: str, kind: str) -> str:
    """A user's own words, "this" or "here" with what it is; as they are if they name something.

    Args:
        own: The words.
        kind: What the material is called; if empty, nothing is named.
    """
    if not kind or _NAMED().search(own) or _ACKNOWLEDGED().match(own):
        return own
    named = _UNNAMED().sub(rf"\g<0> {kind}", own, count=1)
    return _HERE().sub(rf"\g<0> in this {kind}", own, count=1) if named == own else named


def names_material(own: str) -> bool:
    """Whether a user's own words say of what kind the material is, as no text in prose does."""
    return _KIND().search(own) is not None


def ends_trace(own: str) -> bool:
    """Whether it is the line that ends a trace, and nobody's own words."""
    return _ERROR().fullmatch(own) is not None


def only_thanks(own: str) -> bool:
    """Whether a user gives thanks and asks for nothing."""
    return _THANKED().match(own) is not None


def only_acknowledges(own: str) -> bool:
    """Whether a user says no more than "ok", "thanks" or "FYI"."""
    return _ONLY_ACKNOWLEDGED().match(own) is not None
