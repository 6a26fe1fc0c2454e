"""Queries in other languages, word by word in English: most encoders read nothing else.

The lists lie in `glossaries`, a word and its English in each line; words that say nothing to a
search have none. Forms are told by Snowball's stems, German compounds by their parts, and Chinese
words by the longest that fits. That is no translation: order and grammar are the query's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import tantivy

from skillret.lexical.spelling import simplified, spell

__all__ = ["GLOSSARIES", "Gloss", "gloss", "is_english", "known_words"]

GLOSSARIES = frozenset({"German", "French", "Spanish", "Chinese"})
_WIDE = frozenset({"Chinese"})  # puts nothing between words
_LONGEST = 6  # characters of a word there
# No part of a name of code, of a path or of a file.
_WORD = re.compile(r"(?<![\w./\\@#$-])[^\W\d_]+(?:['’](?=\w)|(?![\w/\\@(]|\.\w|-\d))")
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_SIGNS = str.maketrans("，。？！；：、（）", ",.?!;:,()")
_LINKS = ("", "s", "es", "n", "en", "e")  # between the parts of a German compound
_PART = 4  # letters of one at least
_ENGLISH_PART = 5  # of one that is English
_STEM = 4  # letters of a word that is told by its stem, ...
_START, _ENDING = 6, 3  # ... or by so many first ones, all but so many last ones
_WITHOUT_DOTS = (("ae", "a"), ("oe", "o"), ("ue", "u"))


class Gloss(NamedTuple):
    """A query in English words.

    Attributes:
        text: The query with them; what no list has stays as it is.
        words: The words that were told, as they stand in the query.
    """

    text: str
    words: tuple[str, ...]


def gloss(
    text: str, language: str, keep: Callable[[str, str], bool] = lambda word, english: False
) -> Gloss:
    """Read a query word by word.

    Args:
        text: The query.
        language: One of `GLOSSARIES`.
        keep: Whether a word stays beside what it is in English, if that is not nothing; never asked
            where nothing stands between words.
    """
    known = _read(language)
    words: list[str] = []
    if language in _WIDE:
        text = text.translate(_SIGNS).translate(simplified())
        text = _RUN.sub(lambda run: _of_run(run[0], known.words, words), text)
    else:
        text = _WORD.sub(lambda word: _of_word(word[0], known, words, keep), text)
    return Gloss(re.sub(r"[ \t]+", " ", text).strip(), tuple(words))


class _Glossary(NamedTuple):
    words: Mapping[str, str]
    stems: Mapping[str, str]
    starts: Mapping[str, list[str]]
    stem: Callable[[str], str]
    compounds: bool

    def look_up(self, word: str) -> str | None:
        """The English of a word or of another form of it; perhaps empty, None if none is known."""
        plain = _plain(word)
        if plain in self.words or len(plain) < _STEM:
            return self.words.get(plain)
        if (stem := self.stem(word)) in self.stems:
            return self.stems[stem]
        return self._of_form(plain)

    def _of_form(self, plain: str) -> str | None:
        """The English of the word that begins alike, for forms that no stem tells."""
        best, most = None, 0
        for other in self.starts.get(plain[:_START], ()):
            pairs = zip(plain, other, strict=False)
            shorter = min(len(plain), len(other))
            same = next((n for n, (a, b) in enumerate(pairs) if a != b), shorter)
            if same > most and max(len(plain), len(other)) - same <= _ENDING:
                best, most = self.words[other], same
        return best


def is_english(word: str) -> bool:
    """Whether a word in lower case is what a word of one of the lists is in English."""
    return word in _beginnings()[0]


def known_words(words: Iterable[str]) -> dict[str, int]:
    """How many words say something in each language that puts spaces between them, by its list.

    None if no word stands there as it is: other forms are told by how they begin alone, for nobody
    knows yet which language's they are. Words that are English too, in any list, tell nothing.

    Args:
        words: In lower case.
    """
    english, lists = _beginnings()
    told = {word for word in words if len(word) >= _STEM and word not in english}
    starts = {word[:_START] for word in told}
    return {
        name: len(starts & beginnings)
        for name, (own, beginnings) in lists.items()
        if not told.isdisjoint(own)
    }


@cache
def _beginnings() -> tuple[frozenset[str], Mapping[str, tuple[frozenset[str], frozenset[str]]]]:
    """The words that are English, and those of each other language, with how they begin."""
    lists = {name: _pairs(name) for name in GLOSSARIES}
    english = frozenset(e for pairs in lists.values() for _, told in pairs for e in told.split())
    others = {
        name: frozenset(word.lower() for word, told in pairs if told and len(word) >= _STEM)
        for name, pairs in lists.items()
        if name not in _WIDE
    }
    alike = {word[:_START] for word in english}
    return english, {
        name: (own - english, frozenset(word[:_START] for word in own) - alike)
        for name, own in others.items()
    }


def _pairs(language: str) -> list[list[str]]:
    """The words of a list, each with its English."""
    file = Path(__file__).with_name("glossaries") / f"{language.lower()}.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


@cache
def _read(language: str) -> _Glossary:
    pairs = _pairs(language)
    if language in _WIDE:
        return _Glossary(dict(pairs), {}, {}, str, False)
    stem = _stemmer(language.lower())
    # The first of two words with one stem or spelling is the commoner one.
    stems = {stem(word): english for word, english in reversed(pairs)}
    words = {_plain(word): english for word, english in reversed(pairs)}
    starts: dict[str, list[str]] = {}
    for word in words:
        starts.setdefault(word[:_START], []).append(word)
    return _Glossary(words, stems, starts, stem, language == "German")


def _stemmer(language: str) -> Callable[[str], str]:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    builder = builder.filter(tantivy.Filter.lowercase())
    analyzer = builder.filter(tantivy.Filter.stemmer(language)).build()

    def stem(word: str) -> str:
        return _plain("".join(analyzer.analyze(word)))

    return stem


def _plain(word: str) -> str:
    """A word in lower case and without accents, as it is often typed."""
    return spell(word.lower()).strip()


def _of_word(
    word: str, known: _Glossary, words: list[str], keep: Callable[[str, str], bool]
) -> str:
    if word[-1] in "'’":  # l'image, d'un
        return " "
    english = _look_up(word, known)
    if english is None:
        return word
    words.append(word)
    own = word if english and keep(word, english) else ""
    return f" {english} {own} "


def _look_up(word: str, known: _Glossary) -> str | None:
    for form in _forms(word):
        if (english := known.look_up(form)) is not None:
            return english
    return _of_parts(word, known) if known.compounds else None


def _forms(word: str) -> Iterator[str]:
    yield word
    undotted = word.lower()
    for two, one in _WITHOUT_DOTS:
        undotted = undotted.replace(two, one)
    if undotted != word.lower():
        yield undotted


def _of_parts(word: str, known: _Glossary) -> str | None:
    """A compound in English, if both its parts are known: the longest first one.

    One of them may be English as it is ("Haushaltsbudget").
    """
    english = _beginnings()[0]
    for end in range(len(word) - _PART, _PART - 1, -1):
        first, second = _simple(word[:end], known), _simple(word[end:], known)
        last = word[end:].lower()
        if not second and len(last) >= _ENGLISH_PART and last in english:
            second = last
        if first and second:
            return f"{first} {second}"
    return None


def _simple(word: str, known: _Glossary) -> str | None:
    for link in _LINKS:
        if word.endswith(link) and len(word) - len(link) >= _PART - 1:
            english = known.look_up(word[: len(word) - len(link)])
            if english:
                return english
    return None


def _of_run(run: str, known: Mapping[str, str], words: list[str]) -> str:
    """Chinese characters in English; those that no list has are left out."""
    english: list[str] = []
    start = 0
    while start < len(run):
        for size in range(min(_LONGEST, len(run) - start), 0, -1):
            word = run[start : start + size]
            if word in known:
                words.append(word)
                english.append(known[word])
                start += size
                break
        else:
            start += 1
    return f" {' '.join(filter(None, english))} "
