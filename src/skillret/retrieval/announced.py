"""A text that a request announces ("translate the following:") or looks back on ("any typos?").

Nothing but the request tells such a text from the user's own words: it is what is said to be
translated, shortened or answered, or what something is to be made of. A request that could be
about anything, or goes on with another task, sets nothing apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import dropwhile, islice

from skillret.patterns import lazy_pattern
from skillret.retrieval.enclosed import is_rule, split_at_rules
from skillret.retrieval.referents import MATERIAL, ends_trace
from skillret.retrieval.sentences import split_sentences
from skillret.retrieval.textwork import (
    LONG,
    handles_text,
    hands_text_over,
    is_heading,
    is_long,
    names_text,
    needs_text,
    points_at_text,
)

__all__ = ["announces_text", "looks_back", "mark_ruled", "with_colon", "without_document"]

_LONG_CHARACTERS = 120  # of one in HTML, which has few spaces
_SOME = 11  # words that are one beside a request that surely is about it
_LONGEST_HEAD = 400  # characters of what announces material: whoever says more tells a story
_MOST_HEADS = 20  # places where an announcement may end that are looked at
_MOST_OPENINGS = 3  # paragraphs of it: a greeting, a word of thanks, the request
_LONGEST_END = 200  # characters of what looks back on the text in the same paragraph
_LEAST = 3  # words that say more than a name
_SAID_FIRST = 8  # words before a request that looks back on a text
_LANGUAGE = (
    r"(?:english|german|french|spanish|italian|portuguese|dutch|polish|czech|swedish|danish|norwegian"
    r"|finnish|russian|ukrainian|turkish|greek|hungarian|romanian|arabic|hebrew|hindi|chinese"
    r"|mandarin|japanese|korean)\b"
)
# To translate, as it is said in passing.
_INTO = (
    r"\b(?:put|get|turn|bring|have|need|want)\b(?: \w+){0,2}? (?:this|these|it|the following)"
    rf"(?: \w+){{0,2}}? (?:in|into|to) (?:\w+ )?{_LANGUAGE}"
)
_CUE = lazy_pattern(
    r"\b(?:translat|summar|proofread|paraphras|rephras|rewrit|rewrote|shorten|polish|review|correct"
    r"|edit|repl|respon|answer|explain|extract|classif|convert|improv|simplif|format|analy|check"
    r"|read|turn|tl;?dr|condens|fix|debug|look)\w*(?:\W+\w+){0,6}?\W+(?:this|these|following|below)"
    rf"\b(?:(?:\W+\w+){{0,3}}?\W+{MATERIAL}|\s*:)"
    rf"|\b{MATERIAL} (?:below|underneath)\b"
    r"|\b(?:translat|summar|proofread|paraphras|rephras|tl;?dr)[^.!?\n]{0,60}:\s*$"
    rf"|{_INTO}"
    rf"|\bhere(?:'s| is| are) (?:\w+ ){{0,3}}{MATERIAL}"
    r"|\b(?:folgend|siguient|suivant|seguint|seguent)\w*\b|以下|下面|次の|다음",
    re.IGNORECASE,
)
# What follows is a text however short it is: these are done to texts alone.
_OF_TEXT = lazy_pattern(
    r"\b(?:translate|summari[sz]e|proofread|paraphrase|rephrase|reword|shorten|condense|spell-?check"
    r"|tl;?dr)(?:,? please)?(?: (?:(?:for )?me|th(?:is|at|ese|ose)|it|the following|(?:in)?to)\b"
    r"[^.!?\n:]{0,50})?[:：]\s*$"
    r"|\bmake (?:this|it|that|the following)\b[^.!?\n]{0,40}\b(?:shorter|friendlier|nicer|clearer"
    r"|politer|warmer|(?:more|less) (?:formal|casual|friendly|polite|professional|concise|stiff"
    r"|natural|personal|wordy))\b[^.!?\n]{0,40}[:：]\s*$"
    rf"|{_INTO}[^.!?\n]{{0,40}}[:：]\s*$"
    r"|(?:翻[译譯訳]|总结|總結|要約|번역|요약)[^。.!?\n]{0,20}[:：]\s*$",
    re.IGNORECASE,
)
# What follows is what something is to be made of: "write a post from these points:".
_THESE = r"(?:all )?(?:of )?(?:this|these|those|the following)"
_POINTS = r"(?:lists?|notes?|points?|bullets?|items?|facts?|words?|numbers?|topics?|entries)"
_MADE_OF = lazy_pattern(
    r"(?:\b(?:write|draft|compose|create|make|prepare|generate|produce|put together|draw|give me"
    rf"|need|want)\b(?!.*\bhelp\b)[^.!?\n:]{{0,100}}?\b(?:(?:from|based on|out of|using) {_THESE}"
    rf"|(?:with|from|using) (?:{_THESE} |my |our )?{_POINTS})"
    rf"|\b(?:write|draft|compose)\b[^.!?\n:]{{0,100}}? about {_THESE}"
    r"|^\W*(?!(?:how|what|why|tell|get|i|help|recover|to-?do)\b)(?:[\w-]+ ){1,3}?"
    rf"from {_THESE})\b(?! (?:morning|afternoon|week|month|year|quarter|sprint)\b)"
    r"(?:[ \w]{0,25}|, ?please) ?[:：]?\s*$",
    re.IGNORECASE,
)
# What is asked of a text that stands above.
_OF_TEXT_ABOVE = lazy_pattern(
    r"\W*(?:(?:can|could|would|will) you |please |pls |now |and |ok(?:ay)?,? )*"
    r"(?:(?:translate|summari[sz]e|proof-?read|paraphrase|rephrase|reword|rewrite|shorten|condense"
    r"|polish|spell-?check|correct|tl;?dr)\b|make (?:it|this|that)\b"
    r"|(?:fix|check|correct|improve) (?:(?:the|my|its|for) )?(?:grammar|spelling|typos?|wording"
    r"|tone|style|mistakes)\b|any (?:typos?|mistakes)\b"
    r"|(?:(?:reply|respond) to|answer) (?:this|it|him|her|them)\b)[^\n]{0,60}$",
    re.IGNORECASE,
)
# Where what announces a text may end, and where what looks back on it may begin.
_ENDS = lazy_pattern(r"[:：](?=\s|$|[^\x00-\x7f])|\n|$|(?<=[.!?])(?=\s)|(?<=[。！？])")
# What people write in the place of a colon and a space.
_SIGN = lazy_pattern(
    r":(?=[^\W\d_]|[\"'“‘«„(\[<*`])|[ \t](?:[-–—|~]{1,3}|>{1,3}|»)(?=[ \t])"
    r"|[ \t]*(?:[-=]{1,2}>|[→⇒➡⟶=])"
)
_LAST = lazy_pattern(r"\n|[ \t]{3,}|(?<=[.!?][ \t])|(?<=[。！？])")
_ABOVE = lazy_pattern(r"\babove\b|以上|上記|위의", re.IGNORECASE)
# A request that cannot be done without a text, which then stands below the rule that follows it.
_OF_TEXTS = (
    r"\b(?:translat|summar|proof-?read|paraphras|rephras|reword|rewrit|shorten|condens|polish"
    r"|spell-?check|correct|edit|repl|respon|answer|classif|extract|analy|review|explain|read"
    r"|simplif|improv)\w*(?:\W+\w+){0,5}?\W+"
)
_NEEDS_TEXT = lazy_pattern(
    rf"{_OF_TEXTS}(?:th(?:is|ese)(?=\W*$|[.,:;!?\n]|\s+(?:in|into|to|for|as|and|so|by|please)\b)"
    rf"|(?:this|these|the|my|our|her|his|their)(?: \w+)? {MATERIAL}|following\b|below\b)",
    re.IGNORECASE,
)
# One that may.
_SPEAKS_OF_TEXT = lazy_pattern(
    r"\bth(?:is|ese)\b(?! (?:morning|afternoon|week|month|year|quarter|sprint|project|repo"
    r"|tasks?|steps?|things?|requests?|items|points)\b)"
    rf"|{_OF_TEXTS}(?:it|that)\b|\bthe (?:\w+ )?{MATERIAL}"
    r"|\b(?:dies\w{0,2}|c(?:e|ette) (?:texte|message|lettre)|est[ea] (?:texto|mensaje|carta))\b",
    re.IGNORECASE,
)
# Who names a file or an address has pasted nothing.
_ELSEWHERE = lazy_pattern(r"\w\.[A-Za-z]\w{0,4}\b|://|#\d")
# What stands above is called so, or nothing is said of it at all ("proofread please").
_REFERS_BACK = lazy_pattern(
    r"\b(?:th(?:is|at|ese)|it|him|her|them|grammar|spelling|typos?|mistakes"
    rf"|(?:the|my) {MATERIAL})\b"
    r"|^\W*\w+\W*(?:please|(?:in)?to \w+)?\W*$",
    re.IGNORECASE,
)
_BOX = lazy_pattern(r"\s*[-*•]\s+\[[ xX]\]\s")
# What goes on with another task.
_GOES_ON = lazy_pattern(
    r"\W*(?:(?:and|then|also|next|finally|lastly|after(?:wards| that)?|additionally|another"
    r"|second(?:ly)?|third(?:ly)?|besides|plus|once"
    r"|when (?:that|this|you))\b|(?:task|step|part) \d)",
    re.IGNORECASE,
)
_ASKS = lazy_pattern(
    r"\W*(?:\d{1,2}[.)]\s+)?(?:(?:please|now|i(?:'d)?|we) )?(?:(?:can|could|would) you"
    r"|need|want|(?:would )?like"
    r"|write|draft|create|build|make|generate|prepare|set up|add|fix|implement|update|refactor"
    r"|review|check|run|test|deploy|find|convert|translate|summari[sz]e|explain|help|show|tell|give"
    r"|how|what|why|which|is|are|do|does|should)\b",
    re.IGNORECASE,
)


def announces_text(own: str) -> bool:
    """Whether a user's own words end in a request, and a colon, for what is done to texts alone."""
    return _OF_TEXT().search(own) is not None


def with_colon(text: str) -> str:
    """A query with a colon and a space where another sign announces a text: "Translate -> ...".

    Behind a dash many say more of what they want; a text is longer, and asks for nothing.
    """
    first = text[:_LONGEST_HEAD].partition("\n")[0]
    for sign in islice(_SIGN().finditer(first), _MOST_HEADS):
        head = f"{text[: sign.start()]}:"
        if is_long(head):
            break
        asks = handles_text(split_sentences(head)[-1]) or _MADE_OF().search(head)
        if not (asks and _hands_over(head)):
            continue
        below = text[sign.end() :].lstrip()
        colon = sign[0] == ":"
        if (colon and _says_more_than_a_name(below)) or (
            is_long(below, _SOME) and not _ASKS().match(below) and not _GOES_ON().match(below)
        ):
            return f"{head} {below}"
    return text


def mark_ruled(lines: Sequence[str], pasted: list[bool]) -> None:
    """Mark what rules set apart from a request that speaks of it, above or below.

    Rules stand between two requests as well: those are short, or go on ("then ..."), or the first
    of them speaks of no text.
    """
    parts = split_at_rules(lines, pasted)
    if len(parts) < 2:
        return
    texts = ["\n".join(lines[n] for n in part if not pasted[n]).strip() for part in parts]
    first, last = 1, _last_below(texts)
    if not last:
        asked = max((n for n, text in enumerate(texts) if text), default=0)
        if not _is_of_above(texts[asked], "\n".join(texts[:asked]).strip()):
            return
        first, last = 0, asked - 1
    for n in range(parts[first].start - bool(first), min(parts[last].stop + 1, len(lines))):
        pasted[n] = True


def _last_below(texts: Sequence[str]) -> int:
    """The last of the texts between rules that is material of the first one; 0 if none is."""
    asked = " ".join(split_sentences(texts[0][-_LONGEST_HEAD:].split("\n\n")[-1])[-2:])
    needs = _needs_text(asked)
    speaks = needs or _SPEAKS_OF_TEXT().search(asked) or _OF_TEXT_ABOVE().match(asked)
    if not speaks or is_long(asked):
        return 0
    end = max(n for n, text in enumerate(texts) if text)
    closed = end < len(texts) - 1
    if closed and end == 1 and needs and _says_more_than_a_name(texts[1]):
        return 1
    last = end
    while last and (not is_long(texts[last]) or _GOES_ON().match(texts[last])):
        last -= 1
    surely = needs or (closed and last == end)
    return last if surely or not _ASKS().match(texts[last]) else 0


def _needs_text(asked: str) -> bool:
    """Whether a request cannot be done without a text, and does not say where else it is."""
    needs = _NEEDS_TEXT().search(asked) or _CUE().search(asked)
    return bool(needs) and not _ELSEWHERE().search(asked)


def _is_of_above(text: str, above: str) -> bool:
    """Whether a text below a rule asks something of the one above, which is no request itself."""
    if not is_long(above) or not looks_back(text):
        return False
    text = text[:_LONGEST_HEAD]
    if _ABOVE().search(text):
        return True
    refers = _REFERS_BACK().search(text) and not _ELSEWHERE().search(text)
    return bool(refers) and not _ASKS().match(above)


def looks_back(text: str) -> bool:
    """Whether a short text asks something of what stands above it."""
    if is_long(text):
        return False
    if _ABOVE().search(text[:_LONGEST_HEAD]) or _OF_TEXT_ABOVE().match(text):
        return True
    sentences = split_sentences(text)
    asks = (n for n, sentence in enumerate(sentences) if handles_text(sentence, below=True))
    first = next(asks, None)
    if first is None:
        return False
    # Who goes on with their own story asks about that.
    return len(" ".join(sentences[:first]).split()) <= _SAID_FIRST


def without_document(text: str, *, given: bool) -> str:
    """The text without the document that it announces, or looks back on.

    Args:
        text: What is left of a query.
        given: Whether material was found in it: what is short is then not what was announced.
    """
    paragraphs = [p for p in re.split(r"\n\s*\n", text.strip()) if p.strip()]
    if not paragraphs:
        return text
    last = paragraphs[-1]
    above = "\n\n".join(paragraphs[:-1])
    document = _is_document(above, last) if not _ASKS().match(above) else is_long(above)
    if looks_back(last) and (document or (given and ends_trace(above))):
        return last
    if asked := _asked_at_end(text.strip(), given=given):
        return asked
    head, material = _announced(paragraphs, given=given)
    if not head:
        return text
    below = "\n\n" in material.strip() and not is_long(last)
    asks = below and (last.rstrip().endswith(("?", "？")) or _GOES_ON().match(last))
    return f"{head}\n{last}" if asks else head


def _asked_at_end(text: str, *, given: bool) -> str:
    """The end of a paragraph that asks something of all that stands above it, if it does."""
    for begin in _LAST().finditer(text, max(0, len(text) - _LONGEST_END)):
        above, asked = text[: begin.end()].rstrip(), text[begin.end() :].strip()
        if not hands_text_over(asked) or _GOES_ON().match(asked):
            continue
        if _is_document(above, asked) or (given and ends_trace(above)):
            return "" if _ASKS().match(above) else asked
    return ""


def _announced(paragraphs: Sequence[str], *, given: bool) -> tuple[str, str]:
    """What announces material, and the material; both empty if nothing does."""
    first, *others = paragraphs
    heads = _heads(first)
    for head, rest in heads:
        material = "\n\n".join([rest, *others])
        short = not given and _hands_over(head)
        cue = head.endswith((":", "：")) and _CUE().search(head) and not is_heading(head)
        short = short or (rest[:1] in "\n" and not given and _lists_text(head, material))
        if short or cue:
            if is_long(material) or (short and _says_more_than_a_name(material)):
                return head, material
            break
    if (
        others
        and not is_long(first)
        and not is_heading(first)
        and _CUE().search(first[:_LONGEST_HEAD])
    ):
        material = "\n\n".join(others)
        if _is_document(material, ""):
            return first, material
    lines = [(head, rest) for head, rest in heads if rest.startswith("\n") or head[-1] in ":："]
    return (
        _asked_first(lines, others, handles_text)
        or _asked_above(paragraphs)
        or _asked_first(heads, others, hands_text_over)
        or ("", "")
    )


def _asked_first(
    heads: Sequence[tuple[str, str]], others: Sequence[str], asks: Callable[[str], bool]
) -> tuple[str, str] | None:
    """The first lines or sentences that ask something of the text behind them, and that text."""
    for head, rest in heads:
        asked, material = split_sentences(head)[-1], "\n\n".join([rest, *others])
        if asks(asked) and _is_text(material, asked):
            return head, material
    return None


def _asked_above(paragraphs: Sequence[str]) -> tuple[str, str] | None:
    """The first paragraphs, if they ask something of the text in the others; and these."""
    for number in range(1, min(len(paragraphs), _MOST_OPENINGS + 1)):
        head, material = "\n\n".join(paragraphs[:number]), "\n\n".join(paragraphs[number:])
        before = "\n\n".join(paragraphs[: number - 1])
        if len(head) > _LONGEST_HEAD or is_long(before):
            break
        sentences = split_sentences(paragraphs[number - 1])
        asked = sentences if not is_long(paragraphs[number - 1]) else sentences[-1:]
        for sentence in filter(handles_text, asked):
            return (head, material) if _is_text(material, sentence) else None
    return None


def _heads(paragraph: str) -> list[tuple[str, str]]:
    """The places where an announcement may end: what stands before and behind each."""
    heads = []
    for end in islice(_ENDS().finditer(paragraph), _MOST_HEADS):
        head = paragraph[: end.end()].rstrip()
        if is_long(head) or len(head) > _LONGEST_HEAD:
            break
        if head:
            heads.append((head, paragraph[end.end() - (end[0] == "\n") :]))
    return heads


def _is_text(material: str, asked: str) -> bool:
    """Whether what stands below a request is a text and not a second one."""
    lines = map(str.strip, material.split("\n"))
    material = "\n".join(dropwhile(lambda line: not line or is_rule(line), lines))
    if not _is_document(material, asked) or _GOES_ON().match(material):
        return False
    return points_at_text(asked) or not _ASKS().match(material)


def _is_document(text: str, asked: str) -> bool:
    """Whether a text is long enough to be what is asked about; who says so surely needs less."""
    marked = "</" in text and len(text) > _LONG_CHARACTERS
    return marked or is_long(text, _SOME if hands_text_over(asked) else LONG)


def _hands_over(head: str) -> bool:
    """Whether what follows is material even if it is short."""
    if _OF_TEXT().search(head) or _MADE_OF().search(head):
        return True
    return head.endswith((":", "：")) and needs_text(split_sentences(head)[-1])


def _lists_text(head: str, below: str) -> bool:
    """Whether the lines below "Summarise the notes:" are those notes, and no tasks.

    Boxes to tick are part of what is handed over; the lines of tasks begin as requests do.
    """
    if not names_text(split_sentences(head)[-1]):
        return False
    lines = [line for line in below[:_LONGEST_HEAD].split("\n") if line.strip()]
    return all(_BOX().match(line) or not _ASKS().match(line) for line in lines)


def _says_more_than_a_name(text: str) -> bool:
    """Whether it is a text: a file's name or a link says what the task is about."""
    return len(text.split()) >= _LEAST or not text.isascii()
