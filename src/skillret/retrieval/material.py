"""What a query is about, apart from what it asks: pasted mails, logs, code and documents.

The words of a pasted text fit many skills, and they are more than the user's own. Only what stands
as a block is taken for such material; words in quotes or backticks within a sentence, lists of
tasks and long stories are the user's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from skillret.lexical.analyzer import read_terms
from skillret.patterns import lazy_pattern
from skillret.retrieval.announced import (
    announces_text,
    looks_back,
    mark_ruled,
    with_colon,
    without_document,
)
from skillret.retrieval.enclosed import between_marks, holds_request, tags_on_lines
from skillret.retrieval.exchanges import exchange, last_turn
from skillret.retrieval.referents import (
    ABOUT_LOG,
    LOG,
    ends_trace,
    kind_of,
    only_acknowledges,
    only_thanks,
    with_name,
)
from skillret.retrieval.textwork import handles_text, is_long, translates, without_quoted
from skillret.retrieval.traces import trace

__all__ = ["own_words"]

_RUN = 3  # lines that make a block
_LONGEST_TEXT = 20_000  # characters that are looked through; the material of a longer one is cut
_FEW = 30  # words of the material that are read where the user's own say nothing
_DRAWN = ("```", "~~~")
_FENCES = (*_DRAWN, '"""', "'''")
# Words go on behind a closing fence.
_CLOSED = lazy_pattern(
    r"^(?P<fence>[ \t]*(?:```|~~~))[ \t]+(?P<more>(?=[^\n`~]*[a-z])(?:[^\s`~]+[ \t]+)[^\n`~]+)$",
    re.MULTILINE,
)
_UNDERLINE = lazy_pattern(r"~+\^+~*$")  # of what failed, in a trace of Python
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
_CIRCULAR = lazy_pattern(
    r"(?:dear|hi|hello|hey|hallo|liebe|bonjour|hola) "
    r"(?:all|team|everyone|everybody|folks|zusammen|alle|kolleg\w+|à tous|a todos|equipo)\b",
    re.IGNORECASE,
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
# A line of a table: no blank follows what is between its cells, unless it is within quotes.
_CELLS = lazy_pattern(
    "|".join(
        rf'(?=[^{d}]*[^\d{d}]{d}|[^{d}]*{d}[^\d\s])(?:"[^"]*"|[^{d}"]*)'
        rf'(?:{d}(?:"[^"]*"|[^{d}"\s][^{d}"]*|))+$'
        for d in (",", ";", r"\|")
    )
)
_INDENTED = ("    ", "\t")  # as code is
_ITEM = lazy_pattern(r"[-*•\d]")  # of a list, which may be indented as well
_OBJECT = lazy_pattern(r"(?:\{\s*\"[^\"]+\"\s*:.*\}|\[\s*\{.*\}\s*\])$")  # JSON on one line
_SPEAKER = lazy_pattern(r"([A-Z][\w.'-]*(?: [A-Z][\w.'-]*)?)(?: \([^()]{1,20}\))?: \S")
# Words that say neither what to do nor with what.
_EMPTY = (
    "fix help wrong error fail failing issue problem explain debug work happen look see code"
    " log output try run get following message text check tell know mean understand go going"
    " thanks"
)
_SIGNS = frozenset("\n:：\"'“„«»「『<‘‚‹`=→⇒➡⟶")  # one of them is in whatever holds material


def own_words(text: str, *, language: bool = False) -> str:
    """The user's own words in a query, without pasted material; all of it if there is nothing else.

    Who pastes an error log and says nothing asks what is wrong.
    What is called "this" and nothing else is called by its name, where that can be told. Where they
    say no more than "fix this", the beginning of the material says what it is about.

    Args:
        text: The query.
        language: Call a diff by its language, too. Not at first: who reviews diffs means any.
    """
    if _SIGNS.isdisjoint(text) and not is_long(text):
        return text
    whole, text = text, without_quoted(last_turn(text))
    text = with_colon(_CLOSED().sub(r"\g<fence>\n\g<more>", text))
    if len(text) > 2 * _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}\n{text[-_LONGEST_TEXT:]}"
    lines = tags_on_lines(text).split("\n")
    pasted = _blocks(lines)
    traced = [one or other for one, other in zip(pasted, trace(lines), strict=True)]
    own_lines = [line for line, material in zip(lines, traced, strict=True) if not material]
    if traced != pasted and handles_text("\n".join(own_lines).strip()):
        pasted = traced
    kept = [_kept(line, material) for line, material in zip(lines, pasted, strict=True)]
    rest = "\n".join(line for line in kept if line is not None)
    own: str = _QUOTED().sub(
        lambda found: " " if is_long(found[0]) else found[0],
        without_document(rest, given=any(pasted)),
    )
    own = own.strip()
    terms = set(read_terms(own))
    material = [line for line, left in zip(lines, kept, strict=True) if left is None]
    kind = kind_of(material, language=language)
    if kind == LOG and (not terms or ends_trace(own)):
        return f"{ABOUT_LOG}\n{_beginning(text.split())}"
    if own == whole or not (terms or handles_text(own)):
        return whole
    kind = "" if translates(own) else kind
    named = with_name(own, kind or ("text" if announces_text(own) else ""))
    if handles_text(own) or not terms <= set(read_terms(_EMPTY)) or only_thanks(own):
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
    end = _asked_below(lines)
    for number, line in enumerate(lines[:end]):
        if pasted[number]:
            continue
        next_line = lines[number + 1] if number + 1 < len(lines) else ""
        begins = bool(_HEADER().match(line) and _HEADER().match(next_line))
        if number and not line.strip():
            begins = _is_letter(next_line.strip(), lines[:number])
        if _MAIL().match(line) or begins:
            # What an answer quotes has its own marks, and the answer may stand below.
            end = number + 1 if next_line.startswith(">") else end
            pasted[number:end] = [True] * (end - number)
            break
    kinds: list[str] = []
    diff = False
    spoken = Counter(found[1] for line in lines if (found := _SPEAKER().match(line)))
    for line in lines:  # an empty line is of the block above it
        diff = bool(_DIFF().match(line)) or (diff and line[:1] in (*"+-@ \\", ""))
        text = line.strip()
        code = line.startswith(_INDENTED) and text and not _ITEM().match(text)
        chat = spoken and (found := _SPEAKER().match(line)) and spoken.most_common(1)[0][1] > 1
        pasted_line = diff or code or chat or _PASTED().match(text) or _CELLS().match(text)
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
    mark_ruled(lines, pasted)
    return pasted


def _is_letter(line: str, above: Sequence[str]) -> bool:
    """Whether a line greets somebody else; below thanks and the like it may be several people."""
    if _CIRCULAR().match(line) and len(above) <= _RUN:
        return only_acknowledges("\n".join(above))
    greets = _GREETING().match(line) or _LETTER().match(line)
    return bool(greets) and any(map(str.strip, above))


def _asked_below(lines: Sequence[str]) -> int:
    """The number of the line where a request about the text above begins; of none, their number."""
    start = len(lines)
    while start and not lines[start - 1].strip():
        start -= 1
    while start and lines[start - 1].strip():
        start -= 1
    return start if start and looks_back("\n".join(lines[start:])) else len(lines)


def _fenced(lines: Sequence[str]) -> list[bool]:
    """Which lines stand between fences or tags; what is never closed goes to the end."""
    inside = ""
    fenced = []
    stripped = [line.strip() for line in lines]
    ends = {line for line in stripped if line.startswith("</")}
    closing = {line[:3]: number for number, line in enumerate(stripped) if line[:3] in _DRAWN}
    for number, line in enumerate(stripped):
        opened = inside
        if inside:
            inside = "" if line.startswith(inside) or line.endswith(inside) else inside
        elif (
            fence := next((f for f in _FENCES if line.startswith(f)), "")
        ) and not _UNDERLINE().match(line):
            drawn = fence[0] in "`~" and not line.strip(fence[0])  # "~~~~~~" opens one as well
            inside = fence if drawn or line.count(fence) % 2 else ""
            opened = fence
        elif line.count(line[-3:]) == 1 and closing.get(line[-3:], -1) > number:
            inside = line[-3:]  # "Translate ```" opens one behind the words
        elif (
            (tag := _TAG().fullmatch(line)) and f"</{tag[1]}>" in ends and not holds_request(tag[1])
        ):
            opened = inside = f"</{tag[1]}>"
        fenced.append(bool(opened))
    return fenced
