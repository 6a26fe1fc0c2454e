"""Requests to do something to a text: "translate this", "tl;dr?", "Korrigiere bitte diesen Text".

Such a request names its task in full, and nothing of the text that stands beside it. It is told by
a verb of handling texts and by what else it says: hardly a word that is not a function word, a
language, a manner or a name for a text. "Translate the app" and "build a grammar checker" are told
apart so, and a long story that mentions a translation is, too.
"""

from __future__ import annotations

import re
from functools import cache

from skillret.lexical.language import small_words
from skillret.patterns import lazy_pattern
from skillret.retrieval.referents import names_material
from skillret.retrieval.sentences import split_sentences

__all__ = [
    "LONG",
    "handles_text",
    "hands_text_over",
    "is_heading",
    "is_long",
    "names_text",
    "needs_text",
    "points_at_text",
    "said_plainly",
    "translates",
    "without_quoted",
]

LONG = 25  # words that make a text a document, or ...
_LONG_RUN = 60  # ... characters, in a language without spaces
_LONGEST = 200  # characters of a request; more say more
_STRANGE = 4  # words of one that says "this", which may be about anything
_SMALL_LETTERS = 3  # of a word that titles do not capitalise
_WIDE_LONGEST = 25  # characters of one in a language without spaces
_SHORT_QUOTE = 3  # words: fewer are a name or an error that the request is about

# Nouns for a text that is prose.
_TEXT = (
    r"(?:(?:text|message|e-?mail|letter|article|paragraph|passage|sentence|abstract|essay|memo"
    r"|announcement|transcript|poem|thread|conversation|chat|comment|draft|post|faq)s?"
    r"|mails?|nachricht(?:en)?|briefe?|satz|sätze|absatz|artikel|textes?|lettre|phrase|courriel"
    r"|paragraphe|texto|mensaje|correo|carta|frase|párrafo|artículo|testo|messaggio|mensagem)"
)
_THIS = (
    r"(?:this|these|it|that|above|below|following|das|dies\w{0,2}|es|folgend\w+|obige\w*|ce|cet"
    r"|cette|ceci|cela|ça|suivant\w*|est[aeo]|siguiente|questo|isso|dit|dat|эт[оу]т?)"
)
# These are done to texts, in English, German, French, Spanish and the like.
_TRANSLATION = (
    r"translat(?:e|ed|ing|ions?)|(?:ü|ue)bersetz\w{0,4}"
    r"|tradu(?:i\w{1,3}|ct\w{2,4}|c\w{1,5}|[sz]\w{1,5}|rre|rl[ao])|vertaal|vertalen"
    r"|переве(?:ди\w{0,2}|сти)|перевод"
)
_SUMMARY = (
    r"summar(?:y|i[sz]e|i[sz]ing)|tl;?dr|gist|condense|(?:key|main|bullet) points|takeaways"
    r"|what(?:'s| is) (?:this|it) about|zusammenfass\w{0,4}|fass\w{0,2}|zusammenzufassen"
    r"|sum (?:this|it) up|boil (?:this|it) down|fai(?:s|tes)(?:-moi)? un résumé|un resumen"
    r"|worum geht es|résume[rz]?|resum(?:ir|ime\w*|[ea](?= (?:l[ao]|el|est[aeo]|ce|questo)\b))"
    r"|resúme\w{0,3}|riassum\w{1,4}|samenvat\w{0,4}"
)
_CORRECTION = (
    r"proof-?read(?:ing)?|spell-?check|typos?|grammar|spelling|korrigier\w{0,3}|korrekturlesen"
    r"|rechtschreibung|grammatik\w{0,6}|tippfehler|orthographe|grammaire"
    r"|corri(?:ge\w{0,3}|j\w{1,4})|ortografía|gramática|correggi\w{0,4}"
)
_REWORDING = (
    r"paraphras(?:e|ing)|rephrase|reword|shorten|(?:um)?formulier\w{0,3}|k(?:ü|ue)rz(?:e|en)"
    r"|reformul\w{1,5}|raccourci\w{0,3}|acorta\w{0,3}"
)
_CJK_TRANSLATION = r"翻[译譯訳]|[成为為](?:中|英|德|法|日|韩)[文语]|번역"
_CJK_SUMMARY = r"[总總][结結]|概括|摘要|要[约約]|요약"
_CJK_CORRECTION = r"[润潤]色|校[对對正]|添削|교정"
_CJK = rf"{_CJK_TRANSLATION}|{_CJK_SUMMARY}|{_CJK_CORRECTION}|改[写寫]|[缩縮]短"
_DONE_TO_TEXTS = rf"{_TRANSLATION}|{_SUMMARY}|{_CORRECTION}|{_REWORDING}|sentiment"
_LANGUAGES = (
    r"(?:english|german|french|spanish|italian|portuguese|dutch|polish|czech|swedish|danish"
    r"|norwegian|finnish|russian|ukrainian|turkish|greek|hungarian|romanian|arabic|hebrew|hindi"
    r"|chinese|mandarin|japanese|korean|latin|catalan|vietnamese|thai"
    r"|deutsche?n?|englische?n?|französische?n?|spanische?n?|italienische?n?|chinesische?n?"
    r"|japanische?n?|polnische?n?|russische?n?|türkische?n?|portugiesische?n?"
    r"|français|anglais|allemand|espagnol|italien|chinois|japonais|portugais|russe"
    r"|español|castellano|inglés|alemán|francés|italiano|chino|japonés|portugués|ruso"
    r"|inglês|alemão|francês|espanhol|inglese|tedesco|francese|spagnolo|engels|duits"
    r"|[а-я]{4,12}ский)"
)
# What is asked of a text, and of nothing else.
_ASKED_OF_TEXT = (
    r"(?:how many|count(?: all| up)?) (?:the )?(?:words|characters|letters|sentences|syllables)"
    r"|(?:what|which) language|who (?:wrote|sent) (?:this|it)"
    r"|read (?:this|it) (?:aloud|out)"
    r"|make (?:this|it|the following) (?:sound )?(?:more |less )?(?:concise|formal|casual|friendly"
    r"|polite|professional|natural|personal|wordy|short|shorter|clearer|nicer|friendlier|politer"
    r"|better|warmer)"
    r"|(?:mach|schreib)\w{0,3} (?:das|es|dies\w{0,2}) (?:etwas |bitte )?"
    r"(?:kürzer|förmlicher|freundlicher|höflicher|klarer|besser)"
    r"|(?:welche|was für eine) sprache|wie viele (?:wörter|zeichen|sätze)"
    r"|(?:turn|make|convert|transform|rework) (?:this|these|the following) (?:in)?to"
    rf"(?=[^\n]{{0,60}}(?:[:：]|\b(?:{_TEXT}|newsletter|tweet|summary|table|list|bullets))\W*$)"
    r"|(?:explain|encode|decode|encrypt|hash|classify|categori[sz]e|rate|annotate|anonymi[sz]e"
    r"|redact|reverse|rewrite|improve|simplify|correct|edit|polish)"
    r"(?= (?:this|these|the following)\b[^\n]{0,60}[:：]\s*$)"
    r"|quelle langue|combien de (?:mots|caractères|phrases)"
    r"|(?:qué|cuál) idioma|cuántas (?:palabras|frases)"
)
_CJK_ASKED = r"什么语言|哪种语言|多少[个]?字|几个[字词]|何語"
_CJK_THIS = r"[这這此]|以[下上]|下面|上面"
_CJK_TEXT = r"文[字本章]|段|信|邮件|郵件|句|内容"
_TASK = lazy_pattern(rf"\b(?:{_DONE_TO_TEXTS}|{_ASKED_OF_TEXT})(?!\w)", re.IGNORECASE)
_DONE = lazy_pattern(rf"\b(?:{_DONE_TO_TEXTS})(?!\w)", re.IGNORECASE)
_CJK_TASK = lazy_pattern(rf"{_CJK}|{_CJK_ASKED}|(?:{_CJK_THIS}).{{0,3}}(?:{_CJK_TEXT})")
_THIS_TEXT = lazy_pattern(
    rf"\b(?:th(?:is|ese)|(?:the )?following|dies\w{{0,2}}|folgend\w+|cet?(?:te)?|est[ae])"
    rf"(?: \w+)? {_TEXT}\b"
    rf"|\b(?:the|my|her|his|their) (?:\w+ )?{_TEXT} (?:below|above|underneath)\b",
    re.IGNORECASE,
)
_POINTS = lazy_pattern(
    rf"\b{_THIS}\b|{_CJK_THIS}"
    rf"|\b(?:the|my|our|her|his|their|de[nr]|das|die|meine?n?|l[ea]|mon|ma|el|mi) {_TEXT}\b",
    re.IGNORECASE,
)
# Part of a text of any kind: "this README section" is one, and no README.
_THIS_PART = lazy_pattern(
    r"\b(?:th(?:is|ese)|the following) (?:[\w-]+ ){0,2}?(?:section|part|chapter|excerpt|entry|quote"
    rf"|heading|caption|line|bullet|{_TEXT})s?\b(?! (?:of|in|from|on)\b)",
    re.IGNORECASE,
)
# What is to be done is done to something that has a name, and stands below.
_NAMED = lazy_pattern(
    r"\b(?:th(?:e|is|at|ese|ose)|my|our|his|her|their|de[nr]|das|die\w{0,2}|meine?n?|unsere?n?|l[ea]s?"
    r"|mon|ma|mes|nos|el|l[ao]s|mi|mis|nuestr\w+) (?:[\w'-]+ ){0,3}?[\w'-]+[^\w?]*"
    r"(?:\w+ ?){0,3}[:：]\s*$",
    re.IGNORECASE,
)
# For whom it is done says nothing of what is to be found.
_FOR = lazy_pattern(
    r"\b(?:for|to|für|an|pour|à|para) (?:(?:my|our|the|meine?n?|unsere?n?|mon|notre|mi) )?"
    r"[^\W\d_]+\b",
    re.IGNORECASE,
)
_THIS_ONE = lazy_pattern(
    r"\b(?:this|these|above|below|following|dies\w{0,2}|folgend\w+|obige\w*|cet?(?:te)?|ceci|ça"
    rf"|est[aeo]|questo|isso)\b|{_CJK_THIS}",
    re.IGNORECASE,
)
# "This app" is no text, and what it is told to be is said below.
_THIS_THING = lazy_pattern(
    rf"\bth(?:is|ese) (?!{_LANGUAGES}\b|{_TEXT}\b)([^\W\d_]+)", re.IGNORECASE
)
_INTO = lazy_pattern(
    rf"\b(?:into|to|ins|al|vers l[ea]) {_LANGUAGES}\b|\b{_LANGUAGES} version\b"
    rf"|\b(?:in|auf|en|a) {_LANGUAGES}\b(?=[^\n]{{0,40}}[:：]\s*$)"
    r"|^\W*(?:en|de|fr|es|it|pt|nl|pl|ru|zh|ja|ko) ?(?:->|→|=>|>) ?"
    r"(?:en|de|fr|es|it|pt|nl|pl|ru|zh|ja|ko)\W*$",
    re.IGNORECASE,
)
_IN = lazy_pattern(rf"\b(?:in|auf|en|a) {_LANGUAGES}\b", re.IGNORECASE)
# Of what stands above; said first, it is how to answer what follows.
_ANSWER = lazy_pattern(
    r"\b(?:answer|reply|respond|(?:be)?antwort(?:e|en|et)?|répond(?:s|re|ez)|responde[r]?|contesta[r]?)\b"
    rf"(?![^\n]*\b(?:in|auf|en) {_LANGUAGES}\b)|回[复覆信]",
    re.IGNORECASE,
)
# Who makes something that handles texts says below what it shall be.
_MAKES = lazy_pattern(
    r"\b(?:(?:build|implement|add|creat|writ)\w*|see|use|using|follow|based|develop|design|set up"
    r"|deploy|code|app|application|tool|script|function|feature|plugin|api|service|checker|website"
    r"|site|repo|repository|project|codebase|dashboard|game|skill|command|workflow|pipeline|class"
    r"|component|package|library|ui|strings|docs|readme|commits?|PRs?|diff|logs?|tests?|data"
    r"|files?|database|table|queue)\b",
    re.IGNORECASE,
)
# Nor does who tells what is the case ask for something.
_TELLS = lazy_pattern(
    r"\W*(?:i['’]m|we['’]re|here(?:['’]s| is| are)\b|below is\b|hier (?:ist|sind)\b|voici"
    r"|(?:the|my|our|your|i|we|it|this|that|die|der|das|mein\w?|unser\w?|wir|la|le|el)\b[^?]{0,80}"
    r"\b(?:is|are|was|were|does|doesn['’]t|did|has|had|ist|sind|war|waren|hat|est|está))\b"
    r"|(?:this|these) \w+ \w+s\b|.*\bwhat (?:i|we)\b"
    r"|.*\b(?:i|we|ich|wir|je) (?:need|want|brauche|will|veux)\W*$",
    re.IGNORECASE,
)
# A noun alone is the heading of a section that the user wrote.
_HEADING = lazy_pattern(
    r"\W*(?:(?:short|quick|brief|executive|kurze|in) )?(?:summary|zusammenfassung|resumen|résumé"
    r"|(?:key|main|bullet) points|takeaways|translations?|übersetzung|traduction|traducción"
    r"|grammar|spelling|摘要|总结|要約)(?: (?:of|der|des|von|de|del|du) [^?]*)?[^\w?]*$",
    re.IGNORECASE,
)
_ELSEWHERE = lazy_pattern(r"\w\.[A-Za-z]\w{0,4}\b|://|[#/\\]\w|[\w-]_[\w-]")
_WORD = lazy_pattern(r"[^\W\d_]+")
_NAME = lazy_pattern(rf"\b(?:{_LANGUAGES}|{_TEXT})\b", re.IGNORECASE)
_KNOWN = (
    "pls plz thanks thank thx hi hello hey ok okay yes kindly could would will shall must may just"
    " also him her them us our your not keep keeping tone style register formal informal friendly"
    " polite politely nice nicely short shorter brief briefly concise clear clearer simple simply"
    " professional better sound natural fluent native one two three four five few more less most"
    " very too so task instruction request input version needed correct fix edit polish improve"
    " rewrite review check answer reply respond explain read give get got here there now quick"
    " quickly some any mistakes errors let know tell say says mean first second then both like"
    " understand aloud speak well mail got received came boss friend language languages word words"
    " someone fr es it nl zh ja ko hazme classify rate everything whole entire line lines point"
    " points don t s m d ll re ve im"
    " schnell höflich freundlich kurz kurze danke hallo fehler text korrektur verbessere könntest"
    " könnten würdest sie mal eben zusammen unten oben stehenden texte"
    " merci bonjour peux pouvez poliment court voici dessous stp svp il te vous plait fautes"
    " gracias hola por favor puedes podrías pueda podría breve corto errores abajo traducirlo"
    " traducirme puoi favore на мне пожалуйста"
)
# What a user wants said in another language stands in quotes, however short it is.
_SAID = lazy_pattern(
    rf"\b(?:how (?:do|would|can|does|should) (?:you|i|we|one)|how to|what(?:'s| is)) "
    rf"[^\n]{{0,200}}?\b(?:in|into) {_LANGUAGES}\b"
    r"|\bwhat (?:does|do|did|would) (?:this|that|it|these)(?: \w+)? (?:say|mean|read) in"
    rf" {_LANGUAGES}\b"
    rf"|^\W*(?:(?:please|can you|could you) )?(?:say|express) (?:this|that|it) in {_LANGUAGES}\b"
    rf"|\bwie (?:sagt|heißt|schreibt) [^\n]{{0,200}}?\bauf {_LANGUAGES}\b"
    rf"|\bcomment (?:dit|dire|dit-on) [^\n]{{0,200}}?\ben {_LANGUAGES}\b"
    rf"|\bcómo se dice [^\n]{{0,200}}?\ben {_LANGUAGES}\b",
    re.IGNORECASE,
)
_TRANSLATES = lazy_pattern(rf"\b(?:{_TRANSLATION})(?!\w)|{_CJK_TRANSLATION}", re.IGNORECASE)
_PLAIN = (
    ("summarize a text", lazy_pattern(rf"\b(?:{_SUMMARY})(?!\w)|{_CJK_SUMMARY}", re.IGNORECASE)),
    (
        "proofread a text",
        lazy_pattern(rf"\b(?:{_CORRECTION})(?!\w)|{_CJK_CORRECTION}", re.IGNORECASE),
    ),
)
# An apostrophe within a word closes no quotes.
_QUOTE = lazy_pattern(
    r'"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|»[^«»]+«|‹[^‹›]+›|「[^「」]+」|『[^『』]+』|`[^`]+`'
    r"|(?<![\w'])'(?=[^\s'])(?:[^']|(?<=\w)'(?=\w))+(?<=\S)'(?!\w)"
    r"|[‘‚](?=\S)(?:[^‘‚’]|(?<=\w)’(?=\w))+[‘’](?!\w)"
)


def handles_text(request: str, *, below: bool = False) -> bool:
    """Whether a sentence asks for something that is done to a text, and says no more.

    Args:
        request: One sentence or line, perhaps with a colon at its end.
        below: It stands below the text. "Answer briefly" above one says how to answer it.
    """
    if len(request) <= _LONGEST and _DONE().search(request):
        request = _THIS_PART().sub("this text", request)
    if len(request) > _LONGEST or _ELSEWHERE().search(request) or _MAKES().search(request):
        return False
    if not below and is_heading(request):
        return False
    if _CJK_TASK().search(request) and len(request.strip()) <= _WIDE_LONGEST:
        return True
    tasks = (_TASK(), _THIS_TEXT(), *([_ANSWER()] if below else []))
    asked = any(task.search(request) for task in tasks)
    if not (asked or _INTO().search(request)) or _tells(request) or _title(request):
        return False
    rest = request
    for pattern in (*tasks, _INTO(), _IN()):
        rest = pattern.sub(" ", rest)
    if any(found[1].lower() not in _known() for found in _THIS_THING().finditer(rest)):
        return False
    this = points_at_text(request)
    rest = _NAME().sub(" ", rest if this else _FOR().sub(" ", rest))
    strange = sum(word not in _known() for word in _WORD().findall(rest.lower()))
    return strange <= (_STRANGE if asked and this else 0)


def is_heading(line: str) -> bool:
    """Whether it names a section that the user wrote: "Summary:", "Key points:"."""
    return _HEADING().match(line) is not None


def _tells(request: str) -> bool:
    """Whether it says what is the case, and asks for nothing."""
    return not request.rstrip().endswith("?") and _TELLS().match(request) is not None


def _title(request: str) -> bool:
    """Whether it is written as a title is: "Fix Summary for Developers"."""
    words = [
        w
        for w in _WORD().findall(_NAME().sub(" ", request))
        if len(w) > _SMALL_LETTERS and not w.isupper()
    ]
    return len(words) > 1 and all(word[0].isupper() for word in words)


def said_plainly(own: str) -> str:
    """The own words of a user, with the task in plain English if it is one of the usual ones.

    What is called by another name than a text is left to that name, unless it is translated.
    """
    sentences = split_sentences(own)
    if translates(own) or any(_SAID().search(sentence) for sentence in sentences):
        return f"{own} (translate a text)"
    asked = [sentence for sentence in sentences if handles_text(sentence)]
    for plain, pattern in _PLAIN:
        if any(map(pattern().search, asked)):
            return own if names_material(own) else f"{own} ({plain})"
    return own


def translates(own: str) -> bool:
    """Whether a sentence asks for nothing but a translation of a text."""
    return any(
        (_TRANSLATES().search(sentence) or _INTO().search(sentence)) and handles_text(sentence)
        for sentence in split_sentences(own)
    )


def needs_text(request: str) -> bool:
    """Whether a sentence asks for what is done to texts alone: one stands beside it, if short."""
    usual = (_DONE(), _THIS_TEXT(), _INTO(), _CJK_TASK())
    return any(pattern.search(request) for pattern in usual) and handles_text(request)


def hands_text_over(request: str) -> bool:
    """Whether such a sentence surely is about the text in the same paragraph."""
    done = (_DONE(), _INTO(), _CJK_TASK())
    here = (_THIS_ONE(), _INTO(), _IN(), _CJK_TASK())
    return (
        any(pattern.search(request) for pattern in done)
        and any(pattern.search(request) for pattern in here)
        and handles_text(request)
    )


def is_long(text: str, words: int = LONG) -> bool:
    """Whether a text has the length of a document, and not of a request."""
    wide = sum(character > "\u1100" for character in text[: 4 * _LONG_RUN])
    return len(text.split()) > words or wide > _LONG_RUN


def names_text(request: str) -> bool:
    """Whether it asks for what is done to texts alone, and calls one by a name: "the minutes"."""
    return bool(
        len(request) <= _LONGEST
        and _DONE().search(request)
        and _NAMED().search(request)
        and not (_ELSEWHERE().search(request) or _MAKES().search(request))
        and not (is_heading(request) or _tells(request) or _title(request))
    )


def points_at_text(request: str) -> bool:
    """Whether a sentence speaks of a text that is at hand: "this", "the message above"."""
    return _POINTS().search(request) is not None


def without_quoted(text: str) -> str:
    """A query without what it quotes to have it translated, corrected or the like.

    What is quoted elsewhere, an error message for example, is what the query is about.
    """
    rest = _QUOTE().sub(lambda found: " " if _says_something(found[0]) else found[0], text).strip()
    if rest == text or "\n" in rest or len(rest) > _LONGEST:
        return text
    return rest if handles_text(rest) or _SAID().search(rest) else text


def _says_something(quote: str) -> bool:
    return len(quote.split()) >= _SHORT_QUOTE or not quote[1:-1].isascii()


@cache
def _known() -> frozenset[str]:
    """Words that a request to handle a text may hold and be about that text alone."""
    return small_words().union(_KNOWN.split())
