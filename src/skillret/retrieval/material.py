"""What a query is about, apart from what it asks: pasted mails, logs, code and documents.

The words of a pasted text fit many skills, and they are more than the user's own. Only what stands
as a block is taken for such material; words in quotes or backticks within a sentence, lists of
tasks and long stories are the user's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, islice

from skillret.lexical.analyzer import read_terms
from skillret.patterns import lazy_pattern
from skillret.retrieval.enclosed import (
    between_marks,
    holds_request,
    split_at_rules,
    tags_on_lines,
)
from skillret.retrieval.exchanges import exchange
from skillret.retrieval.referents import (
    ABOUT_LOG,
    LOG,
    MATERIAL,
    ends_trace,
    kind_of,
    only_thanks,
    with_name,
)
from skillret.retrieval.sentences import split_sentences

__all__ = ["own_words"]

_LONG = 25  # words that make a text a document, or ...
_LONG_RUN = 60  # ... characters, in a language without spaces
_RUN = 3  # lines that make a block
_LONGEST_HEAD = 400  # characters of what announces material: whoever says more tells a story
_LONGEST_TEXT = 20_000  # characters that are looked through; the material of a longer one is cut
_MOST_HEADS = 20  # places where an announcement may end that are looked at
_FEW = 30  # words of the material that are read where the user's own say nothing
_FENCES = ("```", "~~~", '"""', "'''")
# Words go on behind a closing fence.
_CLOSED = lazy_pattern(
    r"^(?P<fence>[ \t]*(?:```|~~~))[ \t]+(?P<more>(?=[^\n`~]*[a-z])(?:[^\s`~]+[ \t]+)[^\n`~]+)$",
    re.MULTILINE,
)
_LABEL = lazy_pattern(r"\s*(?:```|~~~)\s*([\w+#-]+)\s*$")  # "```python" says the language
_TAG = lazy_pattern(r"<([A-Za-z][\w-]*)(?:\s[^<>]*)?>")
_QUOTED = lazy_pattern(r'"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|»[^«»]+«|「[^「」]+」|『[^『』]+』')
_HEADER = lazy_pattern(r"(?:from|subject|to|date|cc|sent): ", re.IGNORECASE)
_MAIL = lazy_pattern(
    r"-+ ?(?:original|forwarded) message|on .{5,80} wrote:$|am .{5,80} schrieb .{1,80}:$",
    re.IGNORECASE,
)
_GREETING = lazy_pattern(
    r"(?:hi|hello|hey|dear|hallo|liebe[rs]?|bonjour|cher|chère|hola|estimad[oa]s?)"
    r"(?: [^\s,]+){0,4},$",
    re.IGNORECASE,
)
# A letter whose text goes on in the line of its greeting.
_LETTER = lazy_pattern(
    r"(?i:dear|hi|hello|hey|hallo|liebe[rs]?|sehr geehrte[rs]?|bonjour|ch(?:er|ère)|hola"
    r"|estimad[oa]) "
    r"(?:(?i:mrs?|ms|dr|sir|madam|herrn?|frau|madame|monsieur|señora?)\b\.?(?: [A-Z][\w'-]+){0,3}"
    r"|(?!Claude|Codex|Gemini|Copilot|Cursor)[A-Z][\w'-]+(?: [A-Z][\w'-]+){0,2}), [a-zA-Z]"
)
_DIFF = lazy_pattern(r"diff --git |@@ -\d+|--- [^\s-]")  # the context of a change is pasted, too
# Lines that nobody types: logs, stack traces, prompts, diffs, tables, code. Without indentation.
_PASTED = lazy_pattern(
    r"\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\[\d\d?:\d\d\]|[A-Z][a-z]{2} +\d\d? \d\d:\d\d"
    r"|[IWEF]\d{4} \d\d:|\[?(?:ERROR|WARN(?:ING)?|INFO|DEBUG|FATAL|TRACE)\b"
    r"|Traceback \(|Caused by: |\.{3} \d+ more|at [\w.$<>]+ ?\(|File \"|goroutine \d+ \[|--> "
    r"|\d{0,5} {1,8}\|(?: |$)|/\S+\.\w+:\d+|[$#%] \w|PS [A-Z]:\\|[A-Z]:\\[^>]*>"
    r"|@@ |diff --|index [0-9a-f]{7}|[+-]{1,3}[^\s+\-*]"
    r"|(?:new|deleted) file mode \d|(?:old|new) mode \d|similarity index \d"
    r"|(?:rename|copy) (?:from|to) \S"
    r"|Index: \S|={30,}$|\*{15}|panic: |npm (?:ERR!|error)|stack backtrace:|thread '"
    r"|commit [0-9a-f]{7}|Author: .*<|[0-9a-f]{7,12} \S"
    r"|[\]})]|[{\[]\s*[{\"]|\"[^\"]+\": ?|.*[;{\[]$|[^{}]*\{[^{}]*\}$"
    r"|</?[A-Za-z][\w:-]*(?:\s[^<>]*)?>|\\(?:begin|end|caption|label|section|item)\b"
    r"|\|.*\||[^,\t]*\t[^\t]*\t|[^, ]+(?:,[^, ]+){2,}$|(?:\S+(?: \S+)* {3,}){2}"
    r"|https?://\S+$|(?:/[\w.-]+){2,}$|[\w.]+ ?= ?\S*$|\[[\w. -]+\]$"
    r"|(?:def|class) \w+.*:$|import \w|from [\w.]+ import "
    r"|(?i:select .+ from |insert into |update .+ set |delete from )"
    r"|(?:SELECT|FROM|(?:LEFT |INNER )?JOIN|WHERE|(?:GROUP|ORDER) BY|INSERT|UPDATE|CREATE"
    r"|RUN|COPY|ADD|CMD|ENV|ARG|EXPOSE|WORKDIR|ENTRYPOINT) \S",
)
_INDENTED = ("    ", "\t")  # as code is
_ITEM = lazy_pattern(r"[-*•\d]")  # of a list, which may be indented as well
_OBJECT = lazy_pattern(r"(?:\{\s*\"[^\"]+\"\s*:.*\}|\[\s*\{.*\}\s*\])$")  # JSON on one line
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
_SPEAKER = lazy_pattern(r"([A-Z][\w.'-]*(?: [A-Z][\w.'-]*)?)(?: \([^()]{1,20}\))?: \S")
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
# Words that say neither what to do nor with what.
_EMPTY = (
    "fix help wrong error fail failing issue problem explain debug work happen look see code"
    " log output try run get following message text check tell know mean understand go going"
    " thanks"
)
_SIGNS = frozenset('\n:："“„«»「『<')  # one of them is in whatever holds material


def own_words(text: str, *, language: bool = False) -> str:
    """The user's own words in a query, without pasted material; all of it if there is nothing else.

    Who pastes an error log and says nothing asks what is wrong.
    What is called "this" and nothing else is called by its name, where that can be told. Where they
    say no more than "fix this", the beginning of the material says what it is about.

    Args:
        text: The query.
        language: Call a diff by its language, too. Not at first: who reviews diffs means any.
    """
    if _SIGNS.isdisjoint(text):
        return text
    text = _CLOSED().sub(r"\g<fence>\n\g<more>", text)
    if len(text) > 2 * _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}\n{text[-_LONGEST_TEXT:]}"
    lines = tags_on_lines(text).split("\n")
    pasted = _blocks(lines)
    kept = [_kept(line, material) for line, material in zip(lines, pasted, strict=True)]
    rest = "\n".join(line for line in kept if line is not None)
    own: str = _QUOTED().sub(
        lambda found: " " if _is_long(found[0]) else found[0], _document(rest, given=any(pasted))
    )
    own = own.strip()
    terms = set(read_terms(own))
    material = [line for line, left in zip(lines, kept, strict=True) if left is None]
    kind = kind_of(material, language=language)
    if kind == LOG and (not terms or ends_trace(own)):
        return f"{ABOUT_LOG}\n{_beginning(text.split())}"
    if own == text or not terms:
        return text
    named = with_name(own, kind or ("text" if _OF_TEXT().search(own) else ""))
    if not terms <= set(read_terms(_EMPTY)) or only_thanks(own):
        return named
    known = set(own.split("\n"))
    words = [word for line in lines if line.strip() not in known for word in line.split()]
    return f"{named}\n{_beginning(words)}"


def _beginning(words: Sequence[str]) -> str:
    return " ".join(words[:_FEW])


def _kept(line: str, pasted: bool) -> str | None:
    """What is left of a line: all, nothing, or the language of the code that begins there."""
    label = _LABEL().match(line) if pasted else None
    return label[1] if label else None if pasted else line


def _blocks(lines: Sequence[str]) -> list[bool]:
    """Which lines are of a pasted block."""
    pasted = _fenced(lines)
    for number, line in enumerate(lines):
        next_line = lines[number + 1] if number + 1 < len(lines) else ""
        begins = bool(_HEADER().match(line) and _HEADER().match(next_line))
        if number and not line.strip():
            greets = _GREETING().match(next_line.strip()) or _LETTER().match(next_line.strip())
            begins = bool(greets) and any(map(str.strip, lines[:number]))
        if _MAIL().match(line) or begins:
            pasted[number:] = [True] * (len(lines) - number)
            break
    kinds: list[str] = []
    diff = False
    spoken = Counter(found[1] for line in lines if (found := _SPEAKER().match(line)))
    for line in lines:  # an empty line is of the block above it
        diff = bool(_DIFF().match(line)) or (diff and line[:1] in (*"+-@ \\", ""))
        text = line.strip()
        code = line.startswith(_INDENTED) and text and not _ITEM().match(text)
        chat = spoken and (found := _SPEAKER().match(line)) and spoken.most_common(1)[0][1] > 1
        pasted_line = diff or code or chat or _PASTED().match(text)
        kind = ">" if text[:1] == ">" else "x" if pasted_line else ""
        kinds.append(kind if text or not kinds else kinds[-1])
    for kind, run in groupby(range(len(lines)), key=kinds.__getitem__):
        numbers = list(run)
        if kind and (
            kind == ">"
            or sum(bool(lines[n].strip()) for n in numbers) >= _RUN
            or any(_OBJECT().match(lines[n].strip()) for n in numbers)
        ):
            for n in numbers:
                pasted[n] = True
    for marked in (between_marks(lines), exchange(lines)):
        pasted = [one or other for one, other in zip(pasted, marked, strict=True)]
    _mark_ruled(lines, pasted)
    return pasted


def _mark_ruled(lines: Sequence[str], pasted: list[bool]) -> None:
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
    if not speaks or _is_long(asked):
        return 0
    end = max(n for n, text in enumerate(texts) if text)
    closed = end < len(texts) - 1
    if closed and end == 1 and needs and _says_more_than_a_name(texts[1]):
        return 1
    last = end
    while last and (not _is_long(texts[last]) or _GOES_ON().match(texts[last])):
        last -= 1
    surely = needs or (closed and last == end)
    return last if surely or not _ASKS().match(texts[last]) else 0


def _needs_text(asked: str) -> bool:
    """Whether a request cannot be done without a text, and does not say where else it is."""
    needs = _NEEDS_TEXT().search(asked) or _CUE().search(asked)
    return bool(needs) and not _ELSEWHERE().search(asked)


def _is_of_above(text: str, above: str) -> bool:
    """Whether a text below a rule asks something of the one above, which is no request itself."""
    if not _is_long(above) or not _looks_back(text):
        return False
    text = text[:_LONGEST_HEAD]
    if _ABOVE().search(text):
        return True
    refers = _REFERS_BACK().search(text) and not _ELSEWHERE().search(text)
    return bool(refers) and not _ASKS().match(above)


def _looks_back(text: str) -> bool:
    """Whether a short text asks something of what stands above it."""
    return not _is_long(text) and bool(
        _ABOVE().search(text[:_LONGEST_HEAD]) or _OF_TEXT_ABOVE().match(text)
    )


def _fenced(lines: Sequence[str]) -> list[bool]:
    """Which lines stand between fences or tags; what is never closed goes to the end."""
    inside = ""
    fenced = []
    stripped = [line.strip() for line in lines]
    ends = {line for line in stripped if line.startswith("</")}
    for line in stripped:
        opened = inside
        if inside:
            inside = "" if line.startswith(inside) or line.endswith(inside) else inside
        elif fence := next((f for f in _FENCES if line.startswith(f)), ""):
            drawn = fence[0] in "`~" and not line.strip(fence[0])  # "~~~~~~" opens one as well
            inside = fence if drawn or line.count(fence) % 2 else ""
            opened = fence
        elif (
            (tag := _TAG().fullmatch(line)) and f"</{tag[1]}>" in ends and not holds_request(tag[1])
        ):
            opened = inside = f"</{tag[1]}>"
        fenced.append(bool(opened))
    return fenced


def _document(text: str, *, given: bool) -> str:
    """The text without the document that it announces, or looks back on.

    Args:
        text: What is left of a query.
        given: Whether material was found in it: what is short is then not what was announced.
    """
    paragraphs = [p for p in re.split(r"\n\s*\n", text.strip()) if p.strip()]
    if not paragraphs:
        return text
    last = paragraphs[-1]
    if len(paragraphs) > 1 and _looks_back(last) and _is_long("\n\n".join(paragraphs[:-1])):
        return last
    first, *others = paragraphs
    head, found, tail = _announced(first)
    if not found and (_is_long(first) or not others or not _CUE().search(first[:_LONGEST_HEAD])):
        return text
    after = others if not found else [tail, *others]
    material = "\n\n".join(after)
    if not (
        _is_long(material) or (not given and _hands_over(head) and _says_more_than_a_name(material))
    ):
        return text
    asks = len(after) > 1 and not _is_long(last) and last.rstrip().endswith(("?", "？"))
    return f"{head}\n{last}" if asks else head


def _announced(paragraph: str) -> tuple[str, bool, str]:
    """What announces material, up to a colon or the end of a line, if so, and what follows."""
    ends = re.finditer(r"[:：](?=\s|$|[^\x00-\x7f])|\n|$", paragraph)
    for end in islice(ends, _MOST_HEADS):
        head = paragraph[: end.end()].rstrip("\n")
        if _is_long(head) or len(head) > _LONGEST_HEAD:
            break
        if (end[0] in (":", "：") and _CUE().search(head)) or _hands_over(head):
            return head, True, paragraph[end.end() :]
    return paragraph, False, ""


def _hands_over(head: str) -> bool:
    """Whether what follows is material even if it is short."""
    return bool(_OF_TEXT().search(head) or _MADE_OF().search(head))


def _says_more_than_a_name(text: str) -> bool:
    """Whether it is a text: a file's name or a link says what the task is about."""
    return len(text.split()) >= _RUN or not text.isascii()


def _is_long(text: str) -> bool:
    words = text.split()
    wide = sum(character > "\u1100" for character in text[: 4 * _LONG_RUN])
    return len(words) > _LONG or wide > _LONG_RUN
