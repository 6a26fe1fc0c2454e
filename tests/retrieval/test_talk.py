import time

import pytest

from skillret.retrieval.talk import is_talk, read_talk


@pytest.mark.parametrize(
    "text",
    """
    continue please|continue, please|yes continue|looks good, continue|continue with the plan
    continue with the next step|proceed to the rest|continue where you left off|keep going|go on
    thanks so much!|great, thanks!|many thanks|thanks for your help|good job|nice work, thank you
    yes please|yes, do it|ok, go ahead|what next|next please|what's next?|let's go|ok.\n\nthanks
    danke dir|vielen Dank!|ja bitte|weiter bitte|mach weiter|mach weiter mit dem plan|super, passt
    merci beaucoup|merci bien !|oui, vas-y|s'il te plaît continue|d'accord, parfait
    gracias|muchas gracias|sí, por favor|si, continua|adelante con el plan|muy bien
    grazie mille|sì, va bene|obrigado|muito obrigada!|dank je wel|dziękuję bardzo|tack så mycket
    спасибо большое|да, продолжай|teşekkür ederim|谢谢，继续|👍|ok 👍
    """.strip()
    .replace("\n    ", "|")
    .split("|"),
)
def test_what_people_say_between_tasks_is_told(text):
    assert is_talk(text)


@pytest.mark.parametrize(
    "text",
    """
    continue building|continue with the invoice|use the continue skill|plan|idea|work|job|the plan
    thanks, now shrink the image|next.js|yes continue, but fix the header|undo the changes
    danke, jetzt die Rechnung|merci, et la facture ?|gracias, ahora la factura|CI|io|c
    fix it|undo the plan|good code|thank the team
    """.strip()
    .replace("\n    ", "|")
    .split("|"),
)
def test_a_request_is_no_talk(text):
    assert not is_talk(text)


@pytest.mark.parametrize(
    ("text", "name", "has"),
    [
        ("continue please", "continue", True),
        ("yes continue, but fix the header", "continue", True),
        ("thanks! now write thanks to the donors", "thanks", False),
        ("thanks! now shrink the image", "thanks", True),
        ("thanks! now shrink the image", "ok", False),
        ("draw a chart\ncontinue please", "continue", True),
        ("ja bitte", "ja", True),
        ("gracias", "gracias", True),
        ("continue with the plan", "plan", False),
        ("who", "who-reports", False),
        ("谢谢", "谢谢", True),
        ("sounds good", "sounds-good", True),
        ("Sounds good, thanks", "sounds-good", True),
        ("that sounds good to me", "sounds-good", True),
        ("one more time", "one-more-time", True),
        ("good job", "job", False),
        ("quick start", "quick-start", False),
        ("make resume", "make-resume", False),
        ("next steps", "next-steps", False),
        ("Make it so.", "make-it-so", True),
        ("ok, fix it", "fix-it", True),
        ("please run it again", "run-it", True),
        ("do that", "do-that", True),
        ("fix-it", "fix-it", False),
        ("fix it: the chain slips", "fix-it", False),
        ("use the fix it skill", "fix-it", False),
        ("translate it", "translate-it", False),
        ("fix it", "fix", False),
        ("run it", "runner", False),
    ],
)
def test_a_skill_is_not_called_by_talk(text, name, has):
    assert read_talk(text).has(name) is has


@pytest.mark.parametrize("piece", ["thanks. ", "ok - ", "x, ", "- ", "\n", "continue with the "])
def test_long_texts_take_no_longer(piece):
    start = time.process_time()
    read_talk(piece * (100_000 // len(piece)))
    assert time.process_time() - start < 5
