"""Which language a query is written in, as far as that matters: most encoders read English alone.

Told by its characters, or by the small words that hardly any other language has.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

from skillret.lexical.analyzer import STOP_WORDS
from skillret.lexical.glossary import is_english, known_words

__all__ = ["SCRIPTS", "language", "small_words"]

_SCRIPTS = {
    "Japanese": "\u3040-\u30ff",
    "Korean": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Chinese": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "Thai": "\u0e00-\u0e7f",
    "Arabic": "\u0600-\u06ff\u0750-\u077f",
    "Hebrew": "\u0590-\u05ff",
    "Greek": "\u0370-\u03ff",
    "Russian": "\u0400-\u052f",
    "Hindi": "\u0900-\u097f",
}
SCRIPTS = frozenset(_SCRIPTS)  # the languages that have one of their own
_SHARE = 0.3  # of a query's letters
_CHARACTER = 3  # letters that a Chinese, Japanese or Korean character is worth
_SPACELESS = frozenset(("Japanese", "Korean", "Chinese"))
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"\bet al\b", re.IGNORECASE)  # in English
_SMALL = {
    "German": "der die das den dem ein eine einen einer und oder ist sind nicht mit für von zu zum"
    " zur auf aus bei nach wie ich mir mich wir bitte kann kannst mein meine diese dieses dieser"
    " ins datei erstelle schreibe prüfe über neu im am als auch wird werden soll"
    " welche welcher welches wenn dass sein hier unter dann aber noch mal schon nur diesen alle"
    " alles gegen beim vom ohne bis damit weil doch heute jetzt unser unsere unserem euch uns",
    "Spanish": "el la los las un una unos y o de del al que es son no con para por en como mi mis"
    " este esta estos quiero necesito convierte puedes favor sobre desde se lo"
    " hacer crear crea traducir traduce archivo informe resumen"
    " cuando cuándo qué quién cómo dónde cuál entre hasta cada todos toda todas nos tiene haz"
    " hazme dime más muy ya aquí está están pero también eso esto su le cuya nada",
    "French": "le la les un une des et ou du de est sont pas avec pour par dans sur mon ma mes ce"
    " cette ces je tu nous vous peux veux plaît comment en au aux que qui"
    " faire créer traduire fichier rapport"
    " fais quand faut ici rien ne depuis quelle quel chaque tout tous toute toutes sans mais aussi"
    " très leur leurs notre votre ta tes sa ses cela ça c'est qu qui quoi où lors",
    "Portuguese": "o os as um uma e ou do da dos das de é são não com para por em no na como meu"
    " minha este esta isso quero preciso pode que"
    " fazer criar traduzir arquivo relatório",
    "Italian": "il lo la i gli le un una e o di del della dei è sono non con per da in nel come mio"
    " mia questo questa voglio posso puoi che alla"
    " fare creare tradurre",
    "Dutch": "de het een en of van is zijn niet met voor op uit bij naar hoe ik mij we kun kan mijn"
    " deze dit dat in wil graag",
    "Polish": "i w na z do nie jest są się jak dla proszę mój moje tego ten ta to chcę mogę po od",
    "Swedish": "och eller är inte med för av till på från hur jag vi kan min mitt mina denna detta"
    " en ett som vill",
    "Turkish": "ve bir bu için ile nasıl bana benim olarak değil mi lütfen",
}
_ENGLISH = frozenset(
    "the a an and or is are not with for of to on from in at by how i me we can my this that these"
    " please it what do does you your as be into need want find which should has have will new"
    " write make create help add use when text file page user no so was data".split()
)
# Of several languages, or names.
_ANY = frozenset(
    "die am im den son con per par ten la de en os e y un pod mi il se das van com comment".split()
)
_SHARED = frozenset("a as do in me no on so was will".split())  # English, and not only that
_LETTERS = {
    "German": frozenset("äöüß"),
    "Spanish": frozenset("ñáíóú¿¡"),
    "French": frozenset("éèêàùçœ"),
    "Portuguese": frozenset("ãõçáê"),
    "Polish": frozenset("ąćęłńśźż"),
    "Swedish": frozenset("åäö"),
    "Turkish": frozenset("ğışçöü"),
    "Vietnamese": frozenset("ạảấầẩậắằặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹđơư"),
}
_LEAST, _DENSITY = 0.9, 0.12
_CONTENT = 0.45  # what a word is worth that says something


def language(text: str) -> str | None:
    """The language of a text if it is likely not English; None for English and where none is told.

    A small word counts the less, the more languages have it; letters of a language count as less
    than one. A name ("Los Angeles", "de Bruijn", "ES modules") is not enough, nor is one small word
    among English ones.
    """
    letters = [character for character in text[:1000] if character.isalpha()]
    for name, characters in _SCRIPTS.items() if not text.isascii() else ():
        count = len(re.findall(f"[{characters}]", text[:1000]))
        worth = count * _CHARACTER if name in _SPACELESS else count
        if worth > _SHARE * (len(letters) - count + worth) > 0:
            return name
    found: dict[str, float] = defaultdict(float)
    said: dict[str, float] = defaultdict(float)  # by words alone: a word with an accent is one
    languages = _languages()
    written = _WORD.findall(_LATIN.sub(" ", text[:1000]))
    words = {word.lower() for word in written}
    telling = {word.lower() for word in _without_names(written)}
    for word in words:
        known = languages.get(word, ()) if word in telling else ()
        for name in known:
            found[name] += 1 / len(known)
            said[name] += 1 / len(known)
        for name, own in _LETTERS.items():
            found[name] += 0.4 * (not own.isdisjoint(word))
    english = len(words & _ENGLISH)
    name, evidence = max(found.items(), key=lambda pair: pair[1], default=("", 0.0))
    least = max(_LEAST, _DENSITY * len(words))
    if evidence >= max(least, english):
        alone = evidence == 1 and name not in known_words(words)  # no "crear", no "Datei"
        return None if alone and _is_among_english(written, name) else name
    if not said and words.isdisjoint(_ANY):
        return None
    likely = {n: said[n] + _CONTENT * c for n, c in known_words(words).items() if c > 1}
    name, evidence = max(likely.items(), key=lambda pair: pair[1], default=("", 0.0))
    return name if evidence >= max(least, len((words & _ENGLISH) - _SHARED)) else None


def _without_names(written: Sequence[str]) -> Iterator[str]:
    """The words that are no acronym among others, and that begin no name of several words.

    German writes all its nouns as names are written.
    """
    german = _SMALL["German"].split()
    capitals = all(map(str.isupper, written))
    for word, after in pairwise([*written, ""]):
        acronym = word.isupper() and len(word) > 1 and not capitals
        name = word.istitle() and after.istitle() and word.lower() not in german
        if not (acronym or name):
            yield word


def _is_among_english(written: Sequence[str], name: str) -> bool:
    """Whether the other words than those of a language are English, or names, and not all names."""
    languages = _languages()
    others = [word for word in written if name not in languages.get(word.lower(), ())]
    plain = [
        word.lower()
        for number, word in enumerate(others)
        if not (word.isupper() or (number and word.istitle() and name != "German"))
    ]
    return bool(plain) and all(map(_is_english, plain))


def _is_english(word: str) -> bool:
    if word in _ENGLISH or word in STOP_WORDS:
        return True
    return is_english(word) or is_english(word.removesuffix("s"))


@cache
def small_words() -> frozenset[str]:
    """The small words of all these languages and of English."""
    return _ENGLISH.union(_ANY, *(words.split() for words in _SMALL.values()))


@cache
def _languages() -> dict[str, list[str]]:
    """The languages of each small word."""
    languages: dict[str, list[str]] = {}
    for name, words in _SMALL.items():
        for word in set(words.split()) - _ENGLISH - _ANY:
            languages.setdefault(word, []).append(name)
    return languages
