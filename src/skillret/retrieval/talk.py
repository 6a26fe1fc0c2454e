"""What people say between tasks: a skill that is called "thanks" or "continue" is not meant by it.

It is told by its words alone, in the languages that most people type, clause by clause: in "thanks!
now shrink the image" the second one asks for something. Any other word makes a clause more than
talk.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from skillret.lexical.analyzer import STOP_WORDS
from skillret.lexical.polite import is_small_talk

__all__ = ["Talk", "is_talk", "read_talk"]

_CLAUSE = re.compile(r"[.,;:!?\n。，！？；、]+|\s[\u2013\u2014-]+\s")
_JOINTS = re.compile(r"[\W_]+")


def _words(text: str) -> frozenset[str]:
    """The words of a text, in lower case and without accents, as they are often typed."""
    plain = text.casefold()
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not _is_accent(c))
    return frozenset(_JOINTS.sub(" ", plain).split())


def _is_accent(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"


# Let an agent go on, and what it may go on with.
_GO_ON = _words(
    """
    ahead carry continue go going keep move next onward proceed fortfahren weiter weitermachen
    continuer continuez suivant suivante suite poursuis poursuivez adelante avanza continua
    continuar prosigue sigue siga siguiente avanti prosegui avante prossiga proximo seguinte
    verder volgende dalej kontynuuj fortsätt devam далее дальше продолжай продолжайте
    """
)
_GOES_ON_WITH = _words(
    """
    implementation item items list part plan point rest step steps task tasks todo todos arbeit
    aufgabe liste punkt schritt etape tache travail tarea tareas trabajo paso pasos lista lavoro
    passo piano compito
    """
)
# Words that mean a thing in another language are absent.
_TALK = (
    STOP_WORDS
    | _GO_ON
    | _words(
        """
        absolutely actually again agreed ahead alright awesome back bad bravo bye cancel cheers
        cool correct definitely done else enough exactly excellent fine finish finished glad
        gladly go going good goodbye got gotcha great haha hello help hey hi hmm indeed k keep
        kindly kk later look looking looks lovely maybe morning move nah never nevermind next
        nice nope ok okay okey one ones onward oops perfect perfectly please pls plz possible
        proceed ready really redo repeat resume retry right see soon sorry start stop super sure
        thank thanks that though thx try tu two ty understood undo ur wait way welcome well
        whatever wonderful works wow yay yea yeah yep yes yet yo yup

        aber alles also auf bis bitte bitteschon danach danke danken dankeschon dann dich dir
        einfach einverstanden euch fertig fur ganz geht gehts gelungen gemacht genau gern gerne
        gut guten hallo hast ich ihnen ihr ist ja jawohl jetzt kein klappt klar klasse lass mach
        mache machen machs mal mir mit moin nein nichts noch nochmal nun nur passt perfekt prima
        richtig schau schon schonen sehr sie stimmt tausend toll tschuss uns viel vielen wieder
        wir wunderbar zum

        accord allez alors ami apres attends aucun aussi avec beaucoup bien bon bonjour bonne
        bonsoir cela cette coucou dac daccord deja donc encore est fais fait genial grand
        maintenant mais merci mille moi non ouais oui parfait pas plaisir plait
        revoir rien salut si sil soir stp sur svp toi tout toutes tres une vas veux volontiers
        votre vous

        adios ahora amigo aqui asi bastante buena buenas bueno buenos claro como con dale
        del dias encanta entendido esa eso esta estas este esto estupendo exacto excelente favor
        fenomenal gracias gusta hasta hecho hola igualmente listo luego mas mil muchas
        muchisimas mucho muchos muy nada ningun noches oye perdon perfecto pero por porfa
        porfavor pues que saludos seguro siempre tambien tardes una usted vale venga
        vez

        allora altro ancora andiamo bene benissimo buona buonasera buongiorno che chiaro
        ciao cosi esatto fatto gentile grazie molte molto niente ottimo perche perfetto piacere
        prego questo scusa scusi sono tante tanto tutto vabbe

        amanha ate beleza bem bom bons com deus dia fazer feito isso muita muito nao noite
        obrigada obrigado obrigados oi ola otimo pode pra sim tarde tchau tudo valeu voce

        akkoord alsjeblieft bedankt dag dank dankje dankjewel doei ga geen goed goede graag
        hartelijk heel hoi hoor inderdaad jij jullie klopt leuk mee mooi nee nou oke prachtig
        tot wel zeker

        bardzo czesc dobra dobrze dzieki dziekuje gotowe hej idealnie jasne nie oczywiscie
        prosze rob swietnie tak tez wielkie witam zgoda

        alltsa dig fint god ikke ingen jag jattebra mange mycket nei nej okej saklart snalla
        tack takk tusen vad vaer venlig

        cok ederim ederiz evet guzel harika hayir iyi lutfen merhaba mukemmel olur peki rica
        sagol sagolun tabii tamam tesekkur tesekkurler

        большое вам верно все всё готово да давай день добрый еще ещё ладно мне молодец не нет
        ну огромное ок окей отлично очень пожалуйста пока понял понятно правильно прекрасно
        привет свидания сделай спасибо супер так тебе хорошо это
        """
    )
)
# What skills may be called, and is talk beside the words above alone ("good job"); `ci` and `es`.
_BESIDE = _words(
    """
    afternoon amazing anyway appreciate appreciated believe best bit bra coming course day
    evening everything far first forget from idea interesting job know leave left legal little
    lot lots love make makes many mehr mind moment much needed night problem problema probleme
    quick sec seems sense sound sounds stuff take thing things think thought time today tomorrow
    useful work worked working worries

    a agora al algo au c ca ce certo ci come das dat de dem den der des det di die dit doe du e
    el em en er es et fa ho il impeccable in io j je jest l la le les lo los me n na nickel no
    pani para per pour pronto s sa so t te to todo todos u un va ve vi y ya zu до за и то я
    """
)
# Of the words above, what something else may be done to: "make-resume" and "quick-start" are tasks.
_DEEDS = _GO_ON | _words("cancel finish look redo repeat resume retry start stop try undo wait")
# "Fix it", "make it so": what points back, and what is done to it that tells no task from another.
_BACK = frozenset({"it", "that", "this", "them", "these", "those", "so"})
_DONE_TO = _words("add change check fix give handle improve put remove run show tell update use")


class Talk(NamedTuple):
    """The words of a text.

    Attributes:
        said: Those of clauses that are but talk.
        asked: Those of the others.
        back: Of these, the words of clauses that only point back.
    """

    said: frozenset[str]
    asked: frozenset[str]
    back: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether a skill is called by what is but said here, and is no more than that."""
        words = _words(name)
        if _points_back(words) and self.asked <= self.back and words <= self.back:
            return True
        answers = _is_answer(words) and words.isdisjoint(_DEEDS)
        talk = (words and _TALK.issuperset(words)) or answers or is_small_talk(name)
        if not talk:
            return False
        return not self.asked or (words <= self.said and words.isdisjoint(self.asked))


def read_talk(text: str) -> Talk:
    """Which words of a text ask for something, and which do not."""
    said: set[str] = set()
    asked: set[str] = set()
    back: set[str] = set()
    for clause in _CLAUSE.split(text):
        words = _words(clause)
        (said if _is_talk(words) or is_small_talk(clause) else asked).update(words)
        if "-" not in clause and "_" not in clause and _points_back(words):
            back.update(words)
    return Talk(frozenset(said), frozenset(asked), frozenset(back))


def is_talk(text: str) -> bool:
    """Whether a text is but what people say between tasks."""
    return not read_talk(text).asked


def _is_talk(words: frozenset[str]) -> bool:
    if _GO_ON.isdisjoint(words):
        return words <= _TALK or _is_answer(words)
    return words - _TALK <= _BESIDE | _GOES_ON_WITH


def _is_answer(words: frozenset[str]) -> bool:
    """Whether words are talk by one of them at least: "sounds good", not "the job"."""
    return words - _TALK <= _BESIDE and not words <= STOP_WORDS | _BESIDE


def _points_back(words: frozenset[str]) -> bool:
    """Whether words do no more than point back to what was said before: "run it"."""
    known = STOP_WORDS | _TALK | _BESIDE | _DONE_TO
    return not _BACK.isdisjoint(words) and not words <= _BACK and words <= known
