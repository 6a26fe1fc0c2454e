import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.lexical import glossary
from skillret.lexical.glossary import GLOSSARIES, gloss
from skillret.lexical.language import language


@pytest.mark.parametrize(
    ("name", "text", "english"),
    [
        ("German", "Übersetze diese Rechnung bitte", "translate invoice"),
        ("German", "uebersetzen wir die Rechnungen", "translate invoice"),
        ("German", "eine Rechnungsvorlage schreiben", "invoice template write"),
        ("German", "ein Haushaltsbudget", "household budget budget"),
        ("German", "Rechnungsdashboard", "invoice dashboard"),
        ("German", "prüfe die Versionshinweise", "check review release notes"),
        ("Chinese", "写发布说明", "write release notes"),
        ("Spanish", "traduce las imágenes", "translate image"),
        ("Spanish", "traduceme la imagen", "translate image"),
        ("French", "traduire l'image", "translate image"),
        ("French", "résume ce rapport", "summarize report"),
        ("Chinese", "请帮我翻译这张发票", "translate invoice"),
        ("Chinese", "請幫我翻譯這張發票", "translate invoice"),
    ],
)
def test_words_are_told_in_whatever_form(name, text, english):
    assert gloss(text, name).text.split() == english.split()


@pytest.mark.parametrize("name", sorted(GLOSSARIES - {"Chinese"}))
@pytest.mark.parametrize("text", ["variables.tf", "src/die/der.py", "a_de_b", "@der/die", ".net"])
def test_names_of_code_stay(name, text):
    told = gloss(text, name)
    assert told.text == text
    assert not told.words


def test_sentences_stay_sentences():
    told = gloss("Übersetze die Rechnung. Dann schreibe einen Bericht!", "German")
    assert told.text.count(".") == told.text.count("!") == 1
    assert gloss("翻译发票。写报告！", "Chinese").text.count(".") == 1


def test_a_word_may_stay_beside_its_english():
    asked = []

    def keep(word, english):
        asked.append((word, english))
        return word == "Rechnung"

    told = gloss("ich schreibe eine Rechnung", "German", keep)
    assert told.text.split() == ["write", "invoice", "Rechnung"]
    assert ("Rechnung", "invoice") in asked
    assert "eine" not in dict(asked)  # says nothing in English either


@pytest.mark.parametrize("name", sorted(GLOSSARIES))
def test_every_word_stands_once_with_plain_english(name):
    file = glossary.Path(glossary.__file__).with_name("glossaries") / f"{name.lower()}.tsv"
    pairs = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    assert all(len(pair) == 2 for pair in pairs)
    words = [word for word, _ in pairs]
    assert len(set(words)) == len(words) > 1000
    assert all(" " not in word and english.isascii() for word, english in pairs)


@given(st.sampled_from(sorted(GLOSSARIES)), st.text())
def test_any_text_can_be_read(name, text):
    told = gloss(text, name)
    assert all(word in text or name == "Chinese" for word in told.words)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("welche teile bleiben, wenn KI dazukommt?", "German"),
        ("avísanos cuando tenga más de 6h", "Spanish"),
        ("fais en sorte que l'agent décroche quand on appelle", "French"),
        ("给modules/vpc写个readme,带inputs和outputs的表格", "Chinese"),
        ("planifica un viaje a Roma", "Spanish"),
        ("revisa la accesibilidad de nuestra web", "Spanish"),
        ("planifie un voyage à Rome", "French"),
        ("korrigiere die Rechtschreibung", "German"),
        ("fix the die casting report", None),
        ("plan a trip to la Paz", None),
        ("Handles Linear comment feedback and triggers iterative refinement", None),
        ("resize images", None),
        ("overage invoices dont match our api call counts", None),
        ("todo app", None),
        ("plot sin and cos", None),
    ],
)
def test_the_language_of_what_people_type_is_told(text, name):
    assert language(text) == name
