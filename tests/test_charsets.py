import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.charsets import is_mostly_utf8, legacy_encoding, may_be_older, name_of, unmarked
from skillret.skills.repair import decode

KOREAN = "회의 녹취록을 읽고 결정 사항과 할 일을 정리합니다."
TRADITIONAL = "閱讀會議記錄，整理決定和待辦事項。"
SIMPLIFIED = "阅读会议记录，整理决定和待办事项。"
JAPANESE = "会議の文字起こしを読み、決定事項をまとめます。"
TEXTS = [
    ("cp949", "EUC-KR", KOREAN),
    ("cp949", "EUC-KR", "회의록 요약"),
    ("big5", "Big5", TRADITIONAL),
    ("big5", "Big5", "翻譯檔案"),
    ("cp932", "Shift_JIS", JAPANESE),
    ("cp932", "Shift_JIS", "議事録"),
    ("euc_jp", "EUC-JP", JAPANESE),
    ("iso2022_jp", "ISO-2022-JP", JAPANESE),
    ("gb18030", "GB18030", SIMPLIFIED),
    ("gb18030", "GB18030", "翻译文件"),
    ("cp1252", "Windows-1252", "Plan für die Küche – “Menüs” à la carte."),
    ("cp1252", "Windows-1252", "Résume les réunions et dresse la liste des décisions à noter."),
    ("cp1252", "Windows-1252", "Traduções, revisão e opções de edição"),
    ("cp1252", "Windows-1252", "¿Cómo se prepara el menú del año?"),
    ("cp1252", "Windows-1252", "Turns a naïve plan into a good one"),
    ("cp1252", "Windows-1252", "Bakes at 200 °C"),
    ("cp1252", "Windows-1252", "“IT”"),
    ("cp1250", "Windows-1250", "Porządkuje notatki i układa listę zadań na każdy dzień"),
    ("cp1250", "Windows-1250", "Připravuje zápis ze schůzky a přehled úkolů"),
    ("cp1254", "Windows-1254", "Toplantı notlarını özetler ve yapılacak işleri çıkarır"),
    ("cp1251", "Windows-1251", "Читает протоколы встреч и составляет список задач."),
    ("koi8_r", "KOI8", "Читает протоколы встреч и составляет список задач."),
    ("cp1253", "Windows-1253", "Διαβάζει τα πρακτικά και συντάσσει λίστα εργασιών."),
    ("cp1255", "Windows-1255", "קורא סיכומי פגישות ומכין רשימת משימות"),
    ("cp1256", "Windows-1256", "يقرأ محاضر الاجتماعات ويعد قائمة بالمهام"),
    ("cp874", "Windows-874", "อ่านบันทึกการประชุมและสรุปรายการที่ต้องทำ"),
]


def skill(description):
    return f"---\nname: notes\ndescription: {description}\n---\n\n# Steps\n\nRead all of it.\n"


@pytest.mark.parametrize(("encoding", "name", "text"), TEXTS)
def test_the_encoding_is_told_from_the_bytes(encoding, name, text):
    data = skill(text).encode(encoding)
    found = legacy_encoding(data)
    assert found is not None
    assert data.decode(found) == skill(text)
    assert name_of(found) == name


@pytest.mark.parametrize(("encoding", "name", "text"), [row for row in TEXTS if row[0] != "cp1252"])
def test_a_few_words_in_much_english_are_enough(encoding, name, text):
    english = "Reads what was written, and writes down what has to be done.\n" * 500
    found = legacy_encoding(f"{english}{text}\r{english}".encode(encoding))
    assert (found and name_of(found)) == ("ISO-2022-JP" if encoding == "iso2022_jp" else name)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp949", KOREAN), ("big5", TRADITIONAL), ("cp932", JAPANESE), ("gb18030", SIMPLIFIED)],
)
@pytest.mark.parametrize("damage", [b"\xff", b"\x80", b""])
def test_a_damaged_byte_does_no_harm(encoding, text, damage):
    data = skill(text).encode(encoding)
    place = data.index(text[8:9].encode(encoding))
    found = legacy_encoding(data[:place] + damage + data[place + (not damage) :])
    assert (found and name_of(found)) == {e: n for e, n, _ in TEXTS}[encoding]


@pytest.mark.parametrize(
    "data", [b"", b"plain", b"\xff\xfe", bytes(range(128, 256)), b"x\x81\x8d\x8f\x90\x9d"]
)
def test_what_is_no_text_is_in_no_encoding(data):
    assert legacy_encoding(data) is None


@given(st.binary(max_size=300))
def test_bytes_are_decoded_by_what_is_found_for_them(data):
    found = legacy_encoding(data)
    if found is not None:
        data.decode(found, "replace")
        assert name_of(found) != found


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("gb18030", "检查发票 写周报 安装依赖 会议纪要 合同审核 图片压缩 知识库 画图 爬虫"),
        ("cp932", "翻訳 設計 在庫管理 献立 要約"),
        ("euc_jp", "議事録 会議 設計 試験 監視 検索"),
        ("big5", "翻譯檔案 部署 履歷"),
        ("cp949", "회의록 이력서 보고서"),
    ],
)
def test_two_or_three_characters_are_enough(encoding, words):
    for word in words.split():
        data = skill(word).encode(encoding)
        assert decode(data, []) == skill(word)


@pytest.mark.parametrize("text", ["Menüs für Köche", "It’s “done” – ok", "检查发票", "翻訳する"])
def test_a_damaged_byte_leaves_short_utf8_what_it_is(text):
    data = skill(text).encode()
    for place in [n for n, byte in enumerate(data) if byte > 0x7F]:
        damaged = data[:place] + b"?" + data[place + 1 :]
        assert is_mostly_utf8(damaged)


def test_utf8_with_a_few_damaged_bytes_is_told_from_older_encodings():
    assert is_mostly_utf8("Menüs für Köche".encode() + b"\xff")
    long = [(e, text) for e, _, text in TEXTS if len(text) > 5 and e != "iso2022_jp"]
    assert not any(is_mostly_utf8(skill(text).encode(e)) for e, text in long)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["a", "plan harbour", "PDF 文件 一一一 🎉", "x" * 1000])
def test_utf_16_without_its_mark_is_told(codec, text):
    assert unmarked(text.encode(codec)) == codec


@pytest.mark.parametrize("data", [b"", b"a", b"\0plan\0", b"\0a\0\0b\0", b"plan\0", b"\0" * 9])
def test_other_zero_bytes_are_no_utf_16(data):
    assert not unmarked(data)


WESTERN = [
    "Liest Gesprächsnotizen und schreibt für jede Übung ein Protokoll.",
    "Größe und Maße „prüfen“",
    "Résume les réunions et dresse la liste des décisions à noter.",
    "Prépare l’été là où ça gêne",
    "¿Cómo se prepara el menú del año? Así, según la reunión.",
    "Läser anteckningar och gör en översikt på svenska",
]


@pytest.mark.parametrize("text", WESTERN)
@pytest.mark.parametrize(("encoding", "name"), [("mac_roman", "Mac Roman"), ("cp850", "CP850")])
def test_text_of_mac_os_and_dos_is_told_to_be_in_doubt(text, encoding, name):
    data = skill(text).encode(encoding, "replace")
    notes = []
    decode(data, notes)
    assert "letters may be wrong" in notes[0]
    assert name in may_be_older(data, "cp1250")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [(e, t) for e, _, t in TEXTS] + [("cp1252", text) for text in [*WESTERN, "PARTÍA o PERÚ"]],
)
def test_text_of_other_encodings_is_in_no_doubt(encoding, text):
    data = skill(text).encode(encoding)
    assert may_be_older(data, legacy_encoding(data)) == ""


@pytest.mark.parametrize("text", ["Liegeplatz größer buchen", "lo señaló el año"])
@pytest.mark.parametrize(("encoding", "name"), [("mac_roman", "Mac Roman"), ("cp850", "CP850")])
def test_a_word_that_is_read_as_one_of_the_east_is_in_doubt(text, encoding, name):
    data = text.encode(encoding)
    assert name in may_be_older(data, "cp932")
    assert name in may_be_older(data, "cp1252")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        *(("cp1252", "needs <100µs"), ("cp1252", "größer"), ("big5", "Use rolling窗口 for it")),
        *(("cp932", "## 描述"), ("gb18030", "name: '任務'"), ("cp932", "PDFを読む")),
    ],
)
def test_a_few_letters_are_no_reason_to_doubt(encoding, text):
    assert may_be_older(text.encode(encoding), encoding) == ""


@given(st.binary(max_size=300))
def test_no_bytes_raise_a_doubt_with_an_error(data):
    assert may_be_older(data, "cp1252") in ("", "CP850", "Mac Roman", "Mac Roman or CP850")
