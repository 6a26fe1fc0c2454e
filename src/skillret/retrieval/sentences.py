"""Sentences of a query, and the tasks within one sentence."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from skillret.patterns import lazy_pattern

__all__ = ["is_list", "segments", "split_sentences", "tasks", "unmarked"]

_MAX_SEGMENTS = 16  # more sentences than this are joined: each is searched for
_MIN_WORDS = 3  # a shorter sentence ("Thanks!") says nothing, and so do ...
_MIN_CHARACTERS = 4  # ... fewer characters where no spaces are written
_WIDE = lazy_pattern(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uac00-\ud7ff]")
_MAX_CLAUSES = 4  # more are a list of things, not of tasks
_LONG = 500  # characters of a sentence that is left whole
# After a full stop, question or exclamation mark and white space, or at a line break; also
# after their full-width forms, which no white space follows.
_BOUNDARY = re.compile(r"(?<=[.!?])\s|\n|(?<=[。！？])")
_LISTED = range(3, 11)  # tasks, one in each line or between commas
_NUMBERED = range(2, 11)  # tasks behind numbers in one line
_SHORT = 20  # words of one at most, ...
_BRIEF = 8  # ... where only an "and" sets it apart
_NO_TASK = lazy_pattern(
    r"(?:an?|the|its?|my|this|that|these|but|which|so|as|with|no)\b", re.IGNORECASE
)
_MARK = lazy_pattern(r"^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+(?=\S)", re.MULTILINE)
_DONE = lazy_pattern(r"^[ \t]*[-*•][ \t]+\[[xX]\][ \t].*\n?", re.MULTILINE)
_OPEN = lazy_pattern(r"^([ \t]*[-*•][ \t]+)\[ \][ \t]+", re.MULTILINE)
_NUMBER = lazy_pattern(r"(?:^|(?<=\s))\(?(\d{1,2})[.)][ \t]+(?=\S)")
_SEMICOLON = lazy_pattern(r";\s+(?:(?:and|then|also|please)\s+)*", re.IGNORECASE)
_COMMA = lazy_pattern(r",\s+(?:(?:and|then|also|please)\s+)*", re.IGNORECASE)
_AND = re.compile(r"[,;]?\s(?:and|then|plus|also)\s+(?:(?:then|also|please)\s+)*", re.IGNORECASE)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, stripped, without empty ones, each once, in order."""
    return list(dict.fromkeys(text[start:end] for start, end in _spans(text)))


def segments(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a query start and end, at most 16: neighbours are joined.

    A single sentence that is no question falls apart at "and" and "then", if four or fewer clauses
    of three words and more come of it: "shrink my image and write the release notes". A query of
    one clause has none besides itself. Among several sentences clauses would be too many: on dev
    NDCG@10 of long queries falls by .03.
    """
    known: set[str] = set()
    spans = []
    for start, end in _spans(text):
        sentence = text[start:end]
        if sentence not in known and _says_something(sentence):
            known.add(sentence)
            spans.append((start, end))
    if len(spans) > _MAX_SEGMENTS:
        bounds = np.linspace(0, len(spans), _MAX_SEGMENTS + 1).astype(int).tolist()
        spans = [(spans[first][0], spans[last - 1][1]) for first, last in pairwise(bounds)]
    if len(spans) == 1:
        spans = _clauses(text, *spans[0])
    return spans if len(spans) > 1 else []


def tasks(text: str, most: int) -> list[tuple[int, int]]:
    """Where the parts of a query stand that may each be a task of their own.

    Those of a list, line by line or between the commas of a single sentence, else its segments.

    Args:
        text: The query.
        most: Segments; more are a story, of which none is a task.
    """
    listed = _list(text)
    if listed:
        return listed
    spans = segments(text)
    return spans if len(spans) <= most else []


def is_list(text: str) -> bool:
    """Whether a query lists tasks."""
    return bool(_list(text))


def _list(text: str) -> list[tuple[int, int]]:
    """Where the tasks of a list stand: a sentence in each line, or clauses of one sentence."""
    numbered = _numbered(text)
    if _are_tasks(text, numbered, _NUMBERED):
        return numbered
    spans = _spans(text)
    if len(spans) > 1:
        lines = text.strip().split("\n")
        one_each = all(map(str.strip, lines)) and len(spans) == len(lines)
        return spans if one_each and _are_tasks(text, spans) else []
    for start, end in spans:
        for separator in (_SEMICOLON(), _COMMA()):
            clauses = _between(text, separator, start, end)
            if _are_tasks(text, clauses):
                return clauses
        if len(clauses) > 1:  # "a, b and c", as brief as tasks are
            clauses[-1:] = _clauses(text, *clauses[-1])
            if _are_tasks(text, clauses, most=_BRIEF) and not any(
                _NO_TASK().match(text, start) for start, _ in clauses
            ):
                return clauses
    return []


def _numbered(text: str) -> list[tuple[int, int]]:
    """What stands behind each number where one line counts from 1: "1) do this 2) do that"."""
    marks = list(_NUMBER().finditer(text)) if "\n" not in text.strip() else []
    if not marks or [int(mark[1]) for mark in marks] != list(range(1, len(marks) + 1)):
        return []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    spans = zip((mark.end() for mark in marks), ends, strict=True)
    return [(start, start + len(text[start:end].rstrip(" ,;."))) for start, end in spans]


def _between(text: str, separator: re.Pattern[str], start: int, end: int) -> list[tuple[int, int]]:
    """Where the clauses between separators stand."""
    clauses = []
    for found in separator.finditer(text, start, end):
        clauses.append((start, found.start()))
        start = found.end()
    return [*clauses, (start, end)]


def unmarked(text: str) -> str:
    """A list without the marks and numbers of its lines, which are no words of the query.

    What is ticked off is no task any more.
    """
    if _OPEN().search(text):
        text = _OPEN().sub(r"\1", _DONE().sub("", text))
    return _MARK().sub("", text) if len(_MARK().findall(text)) > 1 else text


def _are_tasks(
    text: str, spans: list[tuple[int, int]], listed: range = _LISTED, most: int = _SHORT
) -> bool:
    """Whether each part of a list may be a task."""
    parts = [text[start:end] for start, end in spans]
    return len(spans) in listed and all(
        _says_something(part) and len(part.split()) <= most for part in parts
    )


def _clauses(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Where the clauses of a sentence start and end; the sentence itself if it is but one."""
    if end - start > _LONG or text.endswith(("?", "？"), start, end):
        return [(start, end)]
    spans, begin = [], start
    for found in _AND.finditer(text, start, end):
        left, right = text[begin : found.start()], text[found.end() : end]
        if _says_something(left) and _says_something(right):
            spans.append((begin, found.start()))
            begin = found.end()
    spans.append((begin, end))
    return spans if len(spans) <= _MAX_CLAUSES else [(start, end)]


def _says_something(text: str) -> bool:
    return len(text.split()) >= _MIN_WORDS or (
        not text.isascii() and len(_WIDE().findall(text)) >= _MIN_CHARACTERS
    )


def _spans(text: str) -> list[tuple[int, int]]:
    bounds = [0, *(m.end() for m in _BOUNDARY.finditer(text)), len(text)]
    spans = []
    for start, end in pairwise(bounds):
        sentence = text[start:end]
        left = start + len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            spans.append((left, left + len(sentence.strip())))
    return spans
