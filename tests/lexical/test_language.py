import pytest

from skillret.lexical.language import language


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("检查发票", "Chinese"),
        ("把这个 Excel 表格翻译成英文", "Chinese"),
        ("ログを分析して", "Japanese"),
        ("로그 분석", "Korean"),
        ("проверь счета", "Russian"),
        ("حول الملف", "Arabic"),
        ("แปลเอกสาร", "Thai"),
        ("Wie kann ich eine PDF in Excel umwandeln?", "German"),
        ("hacer un resumen del informe", "Spanish"),
        ("traduire ce document en anglais", "French"),
        ("converti questo PDF in Excel", "Italian"),
        ("vertaal dit document", "Dutch"),
        ("mein Bericht", "German"),
        ("EINE RECHNUNG SCHREIBEN", "German"),
        ("El contrato de alquiler", "Spanish"),
        ("crea un informe", "Spanish"),
        ("Les factures impayées", "French"),
        ("faire un commit", "French"),
        ("crear plan", "Spanish"),
        ("traduire email", "French"),
        ("analyse mon MCP", "French"),
    ],
)
def test_other_languages_are_told(text, name):
    assert language(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "review my code",
        "IT",
        "pdf to excel",
        "café résumé",
        "Compare Bangkok hotel rates below 100 USD per night",
        "translate 检查 to English please, it is on the invoice",
        "de-dup the data in El Paso",
        "convert require to ES modules",
        "MIT license check",
        "set time zone to IST",
        "plan our week in Las Vegas",
        "trip to Los Angeles",
        "Des Moines trip",
        "El Niño chart",
        "check et al citations",
        "which molecules bind JAK2 under 10 nM",
        "refund half of oder 2231",
        "42 !?",
        "",
    ],
)
def test_english_and_what_tells_nothing_is_none(text):
    assert language(text) is None
