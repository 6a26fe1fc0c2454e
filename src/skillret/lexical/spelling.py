"""One spelling for what is one word, so that documents and queries meet.

Runs before a text is cut into words. C, C++ and C# differ by signs that no tokenizer keeps;
`getUserById`, `get_user_by_id` and "get user by id" differ by how they are joined, Java21 and
"Java 21" too; Chinese, Japanese and Thai put nothing between words, and Chinese has two sets of
characters. Most texts hold little of that, and a library holds megabytes: each step is for what a
search for a few bytes has found.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from skillret.lexical.polite import without_ending
from skillret.patterns import lazy_pattern

__all__ = ["normalize", "simplified", "spell", "spell_sign", "units"]

_UTF8 = ("utf-8", "replace")
_ASCII = bytes(range(128))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")

# What is one word with its signs, by its letters and signs alone, and the words it stands for.
_SIGNS = {
    "c++": "cpp",
    "cplusplus": "cpp",
    "g++": "gpp",
    "c#": "csharp",
    "f#": "fsharp",
    "net": "dotnet",
    "aspnet": "aspnet asp dotnet",
    "vbnet": "vbnet vb dotnet",
    "objc": "objectivec",
    "go": "golang go",
    "golang": "golang go",
}
_SCRIPTS = "alpine angular chart d3 electron express nest next node nuxt p5 react three vue".split()
_SIGNS |= {f"{name}js": f"{name}js {name}" for name in _SCRIPTS}
# Short forms that stand for one word and no other, where people type one and skills have the other.
_SHORT = {
    "a11y": "accessibility",
    "authn": "authentication",
    "authz": "authorization",
    "i18n": "internationalization",
    "js": "javascript",
    "k8s": "kubernetes",
    "l10n": "localization",
}
# Whose versions are written onto them: Java21 is Java, but context7 is no context, nor base64 a
# base. Of .NET, which is "net" in such a word, these begin with 5; net0 is a network.
_VERSIONED_NAMES = """
android angular ansible astro blender bootstrap centos claude cpp css cuda debian deno django dotnet
drupal elasticsearch electron express fedora flask gemini godot gpt gradle gtk hadoop html http ios
java javascript jquery junit kafka keras kotlin kubernetes laravel llama lua macos magento mariadb
mongodb mysql nest next node nuxt oauth office openapi oracle perl php postgres postgresql python
pytorch qwen rails react redis rhel ruby rust scala spark spring springboot sqlite svelte swift
symfony tailwind tailwindcss tensorflow typescript ubuntu unity unreal vite vue webpack windows
wordpress
""".split()
# The letters before all else here too.
_SHORTENED = [
    (short.encode(), re.compile(rf"{short}(?<!\w{short})(?!\w)"), word)
    for short, word in _SHORT.items()
]
# Letters that no normal form takes apart.
_LETTERS_APART = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "ς": "σ"}
_LETTERS = re.compile(r"[^a-z0-9+#]")
_START = r"(?<!\w)(?<!\.)"
# The first letter before all else: a regular expression runs ten times as fast to it.
_SIGN = (
    r"[acdfgov.](?<!\w.)(?<!\..)(?:"
    r"(?:(?<=c)(?:\+\+|#| ?sharp|[ -]?plus plus)|(?<=g)\+\+|(?<=f)(?:#| ?sharp))(?![a-z_+#])"
    r"|(?:(?<=a)sp\.net|(?<=v)b\.net|(?<=\.)net|(?<=d)ot ?net|(?<=o)b(?:jective[ -]c|jc)"
    r"|(?<=g)olang)(?!\w|[+#]))"
)
# What is rare comes first here too.
_HINTS = tuple(
    re.compile(hint).search
    for hint in (
        *(rb"#(?<=[cf]#)", rb"\+(?=\+)", rb"\.(?=net)", rb" sharp", rb"plus plus"),
        *(rb"dot(?= ?net)", rb"objective[ -]c", rb"objc", rb"golang"),
    )
)
_SIGNED = re.compile(_SIGN)
_SCRIPT = rf"{_START}(?:{'|'.join(_SCRIPTS)})[. -]?"
_SCRIPTED = re.compile(f"{_SCRIPT}$")
_JS = re.compile(r"js(?!(?!\d)\w)")
_VERSION = re.compile(r"[0-9](?<=[a-z][0-9])[0-9]{0,3}(?![^\W_])")
_VERSIONED = re.compile(rf"(?<![^\W_])({'|'.join(_VERSIONED_NAMES)}|net(?=[5-9]$|1[0-9]$))[0-9]+$")
_LONGEST_NAME = 20  # characters with the version, at most
_NAME = 12  # characters before "js" at most
_NO_LANGUAGE = (  # "Go" before these is a verb, or one side of a decision
    "ahead and back backward beyond check criteria decision deep deeper directly down find first"
    " for from further get home in into live look no No on or out over read see straight through to"
    " up with without"
)
_GO = rf"Go(?<!\wGo)(?<![.-]Go)(?!\w|-|[ /](?:{_NO_LANGUAGE.replace(' ', '|')})\b)"
_LANGUAGE = re.compile(_GO.encode())
_AND = re.compile(r"&(?<=\b[a-z]&)(?=[a-z]\b)")  # R&D

_KINDS = "".join(
    "A"
    if c in string.ascii_uppercase
    else "a"
    if c in string.ascii_lowercase + string.digits
    else " "
    for c in map(chr, range(256))
).encode()
_HUMPS = (b"aA", b"AAaa")  # getUser, HTTPServer, but not PDFs
_HUMP = re.compile(rb"(?<=[a-z0-9])[A-Z]|(?<=[A-Z])[A-Z](?=[a-z][a-z])")
_COMPOUND = range(5, 65)  # characters; shorter ones are names (iOS), longer ones data
_QUERY = 2000  # characters of a text that is no body of a skill
_KNOWN_TEXTS = 256
_KNOWN_SIGNS = 1 << 12
_KNOWN = 1 << 14  # compounds, some 4 MB
_DIGITS = b"0123456789"
# Names that are no sum of their parts: who asks for Java or Word does not mean these.
_NAMES = frozenset(
    b"chatgpt devops fastapi github gitlab graphql javascript latex linkedin openai paypal"
    b" powerpoint powershell pytorch restful sqlite tensorflow tiktok typescript whatsapp wordpress"
    b" youtube".split()
) | {f"{name}js".encode() for name in _SCRIPTS}

# Characters of languages that put no spaces between words, and of Korean, whose particles hang on
# them.
_CHARACTERS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30fa\u30fc-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
# Compiled when a text is not plain: wide classes of characters take milliseconds.
_RUN = lazy_pattern(f"[{_CHARACTERS}]+")
_WITH_SIGN = rf"(?P<sign>(?i:{_SIGN}|{_START}[a-z]&[a-z](?!\w)|{_SCRIPT}js(?!(?!\d)\w))|{_GO})"
_PLAIN_UNIT = lazy_pattern(rf"{_WITH_SIGN}|\w+")
# Such characters are no part of the word beside them.
_OTHER = rf"[^\W{_CHARACTERS}]"
_UNIT = lazy_pattern(rf"{_WITH_SIGN}|\w+".replace(r"\w", _OTHER) + f"|[{_CHARACTERS}]+")


def units(text: str) -> Iterator[re.Match[str]]:
    """What becomes terms by itself: something with signs (group `sign`), characters, or a word."""
    return (_PLAIN_UNIT() if text.isascii() else _UNIT()).finditer(text)


def normalize(text: str) -> str:
    """The text in NFKC, without characters that nobody sees; every text of ASCII is that."""
    return text if text.isascii() else _normal(text)[0]


def _normal(text: str) -> tuple[str, bytes, str]:
    """A text as `normalize` leaves it, in UTF-8 as well, and its characters beyond ASCII."""
    raw = text.encode(*_UTF8)
    strange = "" if raw.isascii() else _strange(raw)
    if all(map(_is_plain_sign, set(strange))):
        return text, raw, strange
    text = unicodedata.normalize("NFKC", text).replace("♯", "#")
    raw = text.encode(*_UTF8)
    strange = _strange(raw)
    if not _INVISIBLE.search(strange):
        return text, raw, strange
    text = _INVISIBLE.sub("", text)
    raw = text.encode(*_UTF8)
    return text, raw, _strange(raw)


@lru_cache(_KNOWN_SIGNS)
def _is_plain_sign(character: str) -> bool:
    """Whether it is a dash, an arrow, a tick or the like, which no normal form changes.

    Of these none is joined with the character before it; with one that is joined to it, which is no
    sign, the text is not in question here.
    """
    return (
        unicodedata.category(character)[0] in "PS"
        and unicodedata.normalize("NFKC", character) == character != "♯"
    )


def spell(text: str) -> str:
    """The text in lower case and without accents, its words as they are searched for.

    Names with signs become words (C++: cpp), compounds are followed by their parts, names that a
    version is written onto (Java21) by the name alone, and runs of Chinese, Japanese, Korean or
    Thai become pairs of neighbouring characters, endings of verbs left out.
    """
    return _spell_again(text) if len(text) <= _QUERY else _spell(text)


def _spell(text: str) -> str:
    # Bytes are searched faster than wide characters are.
    _, raw, strange = _normal(text)
    raw = _split(raw)
    if b"Go" in raw:
        raw = _LANGUAGE.sub(b" golang ", raw)
    raw = raw.lower()
    text = raw.decode()
    if strange and _RUN().search(strange):  # before all that tells where a word ends
        text = _RUN().sub(_pairs, text).translate(simplified())
    if any(hint(raw) for hint in _HINTS):
        text = _SIGNED.sub(lambda found: f" {spell_sign(found[0])} ", text)
    if b"js" in raw:
        text = _scripts(text)
    for short, written, word in _SHORTENED:
        if short in raw:
            text = written.sub(word, text)
    text = _versions(text)
    if b"&" in raw:
        text = _AND.sub("", text)
    if not strange:
        return text
    small = strange.lower()
    text = text if small == strange else text.lower()
    for letter in sorted(set(small)):  # "æ" before "ǣ", which becomes it
        if (plain := _unaccented(letter)) != letter:
            text = text.replace(letter, plain)
    return text


@cache
def simplified() -> dict[int, str]:
    """The simplified forms of Chinese characters: who writes traditional ones means the same."""
    text = Path(__file__).with_name("simplified.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    forms: dict[str, str] = {}
    for traditional, simple in zip(lines[::2], lines[1::2], strict=True):
        forms |= dict(zip(traditional, simple, strict=True))
    return str.maketrans(forms)


@lru_cache(_KNOWN_SIGNS)
def _unaccented(letter: str) -> str:
    """A letter without accents: who types "resume" or capitals in Greek leaves them out."""
    if letter in _LETTERS_APART:
        return _LETTERS_APART[letter]
    parts = unicodedata.normalize("NFD", letter)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f"))


# BM25, grams and exclusions each ask for the same query and its sentences.
_spell_again = lru_cache(_KNOWN_TEXTS)(_spell)


def _strange(text: bytes) -> str:
    """The characters beyond ASCII."""
    return text.translate(None, _ASCII).decode()


def spell_sign(name: str) -> str:
    """The words that a name with signs stands for."""
    letters = _LETTERS.sub("", name.lower())
    return _SIGNS.get(letters, letters)


def _scripts(text: str) -> str:
    """The text with Node.js and its like, however they are written, as one word and as two."""
    pieces: list[str] = []
    done = 0
    for js in _JS.finditer(text):
        name = _SCRIPTED.search(text, max(done, js.start() - _NAME), js.start())
        if name:
            pieces += text[done : name.start()], f" {spell_sign(text[name.start() : js.end()])} "
            done = js.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _versions(text: str) -> str:
    """The text with the name behind each name that has its version written onto it."""
    pieces: list[str] = []
    done = 0
    for version in _VERSION.finditer(text):
        end = version.end()
        name = _VERSIONED.search(text, max(done, end - _LONGEST_NAME), end)
        if name:
            pieces += text[done:end], f" {spell_sign(name[1])}"
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _split(text: bytes) -> bytes:
    """The text with the parts of each compound behind it."""
    kinds = text.translate(_KINDS)
    ends: dict[int, int] = {}
    for hump in _HUMPS:
        at = kinds.find(hump)
        while at >= 0:
            end = kinds.find(b" ", at)
            end = len(kinds) if end < 0 else end
            ends[kinds.rfind(b" ", 0, at) + 1] = end
            at = kinds.find(hump, end)
    pieces: list[bytes] = []
    done = 0
    for start, end in sorted(ends.items()):
        if end - start in _COMPOUND and (parts := _parts(text[start:end])):
            pieces += text[done:end], parts
            done = end
    return b"".join([*pieces, text[done:]]) if pieces else text


@lru_cache(_KNOWN)
def _parts(compound: bytes) -> bytes:
    if compound.lower().rstrip(_DIGITS) in _NAMES:
        return b""
    bounds = [0, *(hump.start() for hump in _HUMP.finditer(compound)), len(compound)]
    parts = [compound[start:end] for start, end in pairwise(bounds)]
    return b"".join([b" %b" % part for part in parts if len(part) > 1] + [b" "])


def _pairs(run: re.Match[str]) -> str:
    characters = without_ending(run[0])
    if len(characters) < 3:
        return f" {characters} "
    return f" {' '.join(map(''.join, pairwise(characters)))} "
