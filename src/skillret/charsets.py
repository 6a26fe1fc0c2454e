"""In which encoding older than UTF-8 a text is, told from its bytes.

Each candidate reads the bytes, and the one whose characters are the commonest in its languages is
taken: by Zipf's law a character's probability falls with its rank, so that the sum of the ranks'
logarithms is a likelihood. Texts are those of software (a skill, a table of queries), of which a
few words may be all that is not ASCII.
"""

from __future__ import annotations

import re
from functools import cache
from math import log
from typing import NamedTuple

__all__ = [
    "LATIN",
    "is_escaped",
    "is_mostly_utf8",
    "legacy_encoding",
    "may_be_older",
    "name_of",
    "unmarked",
]

LATIN = "cp1252"  # what is not ASCII in a Western text, and what a byte or two most likely are

_HEAD = 64  # bytes that tell UTF-16, ...
_FEWEST_ZEROS = 3  # ... one in so many of its characters at least ASCII
_SAMPLE = 4000  # bytes; behind the first ones that are not ASCII, line by line
_FROM_FIRST = re.compile(rb"[\x80-\xff][^\r\n]*")
_IN_WORDS = re.compile(rb"[^\r\n]?[\x80-\xff][^\r\n]*")  # with what stands before the first one
_RUNS = re.compile(rb"[\x80-\xff]+")
_ESCAPED = "iso2022_jp"
_ESCAPES = (b"\x1b$B", b"\x1b$@")  # what begins its characters

_INSIDE = re.compile(r"[A-Za-z][^\x00-\x7f]{1,2}[A-Za-z]")  # of a word in Latin letters

# Encodings of other systems, of whose few letters in a text those of Windows may make words too.
_OLDER = {"mac_roman": "Mac Roman", "cp850": "CP850"}
_LETTERS = frozenset("äöüßéèêëàâáãåæçñóòôõøœúùûíìîï")  # of Western languages
_SIGNS = frozenset("“”„‘’‚«»–—…•·°¿¡‹›€£§©®™±×½²³ªºµ\xa0")

# Costs, in nats. Those of a common character are 2 to 5.
_FIRST_RANK = 8
_ASCII = 2.0
_RARE = 0.4  # and the logarithm of their number: one of the encoding's usual characters
_STRANGE = 14.0
_UNREADABLE = 25.0
_WELL_FORMED = 8.0  # a character of UTF-8, which bytes seldom are by chance
_SURELY = 2  # times as many well-formed characters as others are no chance
_DOUBTFUL = 12.0  # by character: no text, or one in an encoding that is not listed

# The characters of texts about software and work, the commonest first.
_PUNCTUATION = "，、。：；！？（）"
_SIMPLIFIED = (
    "的一是不在有了人和用为中文数以要可上时个会成行出到分大对生这能法作于据发件多新方户如定入理过后自动进面使"
    "及表果所们来点或并等请提部设改日类应内器名现前加问值程组置关信查务录全量机列资格网义编目选长系认项态无本重"
    "学错误下线接结支持示创建测试写代码开体包输回报流题地实需"
    "我你他她它那之与其已被将把从向而且但若因此没很更最还就都只又再各每些什么怎样谁哪里几两三四五六七八九"
    "十百千万年月周天星期早晚今明昨去做说看想知道找帮助让给买卖钱价费账单票销合同审核简历招聘培训绩效议纪"
    "记邮复翻译润色论章稿摘校排版计图片海像视频音声剪辑压缩画绘制品牌营售客订购库物付登注册密权限安装载依"
    "赖署布滚监控运维志服端台口档案例求研究任划序源构调元集仓交拉取缓队消息醒推送爬虫抓搜索引擎优化键词句"
    "模板转换清洗析预型练评估准指标曲财税率算投股市基金旅游路酒店场饭食谱菜健康身医药律师课教育考答总归纳"
    "汇思导脑识笔备份恢异常修诊断快慢高低小短宽深旧好坏真假正反左右外远近东西南北国家区电话手站页屏幕盘软"
    "硬统平云边缘智慧力聊描述签别级层次公式证验收规范则条款约术解释举参献"
)
_TRADITIONAL = (
    "的一是不在有了人和用為中文數以要可上時個會成行出到分大對生這能法作於據發件多新方戶如定入理過後自動進面使"
    "及表果所們來點或並等請提部設改日類應內器名現前加問值程組置關信查務錄全量機列資格網義編目選長系認項態無本重"
    "學錯誤下線接結支持示創建測試寫代碼開體包輸回報流題地實需檔案料訊"
    "與將從還說讓給買賣錢價費帳單銷審簡歷徵訓績議紀郵譯潤論稿計圖視頻聲輯壓縮畫繪製售訂購庫物付登註冊權安"
    "裝載賴署佈監維誌臺產劃源構調版倉併緩隊通醒爬蟲擎優鍵詞語範轉換統預模練評準標財稅算旅遊酒場飯譜藥師課"
    "總納匯腦識筆備復異斷頁軟硬雲邊緣智聊簽級層證驗規則條約術釋舉參獻週翻排校摘海票伺服套式"
)
_JAPANESE = (
    "、。「」・のるにいをしはなたてとがれんすでっまうきりかさくあもンーストよこラルタイらけどクアそドフえつロせシグ"
    "ちプレマテおやコトムわチナジめサろデみバへじビだびばげべぎぐござずゃゅょブエカキパィッャュョオモ定日表行用文"
    "作成分場合使一会件変更時間必要名前入力出設認実方法書"
    "翻訳議事録請求確週報計契約履歴献立経費精算試験監視検索校正程調整発注在庫管理審査画像動音声換析告開修"
    "改善提案資料業自化章記投稿予顧客営売上税金銀口座旅健康医療律教育学習問題解答評価比較選択環境構築運保"
    "守障害対応手順仕様公配布通知連絡返信宛先本添付挨拶敬語英国電話相談決済車食"
)
_KOREAN = (
    "이다의는에을를가은로하고지사기한리서도인자시어나아해대스정일원과수부들그전제주상보장구문용여게만선공신유조동"
    "적경소계안관성비오음으할입력록내요생각되있없니습형위목명식또함면우모세무드트파터라크데값택확업설된개할한체번호잘못때방법단변환분류결외간재준등했"
    "역회작배포코검토영증석약메답견청객마케팅채접교육디미편집압축추출색최화링백복암권버베"
)


class _Candidate(NamedTuple):
    codec: str
    name: str
    common: str  # the commonest characters first
    usual: tuple[str, int, int] = ("", 0, 0)  # rows of a double-byte set: its codec, first, last
    other: float = _STRANGE  # what any other character costs


_DOUBLE = (
    _Candidate("gb18030", "GB18030", _PUNCTUATION + _SIMPLIFIED, ("gb2312", 0xB0, 0xD7)),
    _Candidate("cp949", "EUC-KR", _KOREAN, ("euc_kr", 0xB0, 0xC8)),
    _Candidate("big5hkscs", "Big5", _PUNCTUATION + _TRADITIONAL, ("big5", 0xA4, 0xC6)),
    _Candidate("cp932", "Shift_JIS", _JAPANESE, ("euc_jp", 0xB0, 0xCF)),
    _Candidate("euc_jp", "EUC-JP", _JAPANESE, ("euc_jp", 0xB0, 0xCF)),
)
_WESTERN = (
    _Candidate(
        LATIN,
        "Windows-1252",
        "éáíóöüäúôâîß“”„’–—çõèàêñãå¿ëøæ¡•…‘ïùûìòœÉÖÜÄÁÀÅÍÓÚÑÇ°«»€£§©®×½²±µ™",
    ),
)
_LATIN = (
    _Candidate(
        "cp1250",
        "Windows-1250",
        "éáíóöüäúôâîß“”„’–—őçłąśřěčšűęžżćńźůýťďň•…‘ŚŁŻČŠŘŽÁÉÍÖÜÚ°«»§©®×",
    ),
    _Candidate("cp1254", "Windows-1254", "éáíóöüışğç“”„’–—ÜÖÇâîûİŞ‘•…°«»€£§©®×½"),
)
_ALPHABETS = (
    _Candidate(
        "cp1251",
        "Windows-1251",
        "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфіїєґё«»—–№ПСВНКОДИРМЗАТБУЧЛГЕФ",
    ),
    _Candidate("koi8_u", "KOI8", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфіїєґёПСВНКОДИРМЗАТБУЧЛГЕФ"),
    _Candidate("cp1253", "Windows-1253", "αοιετσνηρπκμλυςωίόάδγέήχθφύβώξζψ«»“”’–ΑΤΠΕΚΟΣΜΔΗΝΓΛΙΡ"),
    _Candidate("cp1255", "Windows-1255", "יולהאתרמבשנםקכדעפחסטגצןזךףץ–״׳”"),
    _Candidate("cp1256", "Windows-1256", "اليمنتروبدعسفهكقحجةشصخطأىضئإذزثغءظؤآ،؛؟"),
    _Candidate("cp874", "Windows-874", "านรอก่เงยล้ีมวตัสทด็ปิคบแหะไำจใขุชืูถศพโซผธฉณญฟึๆภษฐ"),
)

# With the characters of all.
_UTF8 = _Candidate("utf-8", "UTF-8", "", other=_WELL_FORMED)


def is_escaped(data: bytes) -> bool:
    """Whether bytes hold Japanese text as mail does, in ISO-2022-JP, though all are ASCII."""
    return any(escape in data for escape in _ESCAPES) and data.isascii()


def is_mostly_utf8(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are so in most of their letters: a few are damaged.

    Of few letters in an older encoding half may be well-formed by chance: what is likelier counts.
    """
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    good = sum(character > "\x7f" for character in text) - bad
    if good < bad or good >= _SURELY * bad:
        return good >= bad
    sample = _sample(data)
    return sum(_costs(sample, _UTF8)) <= min(sum(_costs(sample, c)) for c in _candidates(sample))


def name_of(codec: str) -> str:
    """What people call an encoding of `legacy_encoding`."""
    names = {c.codec: c.name for c in (*_WESTERN, *_DOUBLE, *_LATIN, *_ALPHABETS)}
    return names.get(codec, "ISO-2022-JP" if codec == _ESCAPED else codec)


def legacy_encoding(data: bytes) -> str | None:
    """The encoding that bytes are most likely in which are not UTF-8, as Python calls it.

    Args:
        data: A text's bytes, or its first ones. Single damaged bytes do no harm.

    Returns:
        None where the bytes are text in no encoding that is known here.
    """
    if is_escaped(data):
        return _ESCAPED
    sample = _sample(data)
    best = min(_candidates(sample), key=lambda candidate: sum(_costs(sample, candidate)))
    others = [cost for cost in _costs(sample, best) if cost != _ASCII]
    return best.codec if sum(others) < _DOUBTFUL * len(others) else None


def may_be_older(data: bytes, codec: str) -> str:
    """What people call an encoding of Mac OS or DOS that bytes may be in; empty if there is none.

    Words in it are words, and those in Windows-1252 are not: a capital or a sign stands in them, or
    in those of an encoding of the East one of its characters. Which of the two it is few words do
    not show.

    Args:
        data: A text's bytes, which are not UTF-8.
        codec: What `legacy_encoding` takes them for. Of another alphabet there is no doubt.
    """
    sample = _sample(data, _IN_WORDS)
    doubtful = codec in {candidate.codec for candidate in (*_WESTERN, *_LATIN)} or (
        codec in {candidate.codec for candidate in _DOUBLE}
        and _INSIDE.search(sample.decode(codec, "replace"))
    )
    if not doubtful or _makes_words(sample.decode(LATIN, "replace")):
        return ""
    readings = ((name, sample.decode(codec, "replace")) for codec, name in _OLDER.items())
    return " or ".join(name for name, text in readings if _makes_words(text))


def _makes_words(text: str) -> bool:
    """Whether what is not ASCII are letters of Western words, and signs beside words."""
    for place, character in enumerate(text):
        if character < "\x80":
            continue
        before, behind = text[place - 1 : place], text[place + 1 : place + 2]
        capital = character.lower() != character
        letter = character.lower() in _LETTERS and not (capital and before.islower())
        sign = character in _SIGNS and not (before.isalpha() and behind.isalpha())
        if not (letter or sign or character == "’"):
            return False
    return True


def _sample(data: bytes, parts: re.Pattern[bytes] = _FROM_FIRST) -> bytes:
    return b"\n".join(parts.findall(data))[:_SAMPLE]


def _candidates(sample: bytes) -> tuple[_Candidate, ...]:
    """The encodings that may be meant: by few bytes the others cannot be told apart."""
    runs = [len(run) for run in _RUNS.findall(sample)]
    if sum(runs) < 2:
        return _WESTERN
    if sum(runs) < 4:
        return _WESTERN + _DOUBLE
    # Of a Latin word single letters have accents, of another alphabet's word all are such bytes.
    latin = 2 * sum(length < 3 for length in runs) > len(runs)
    return _WESTERN + _DOUBLE + _LATIN + (() if latin else _ALPHABETS)


def _costs(sample: bytes, candidate: _Candidate) -> list[float]:
    """Minus the logarithm of the likelihood of each of a sample's characters."""
    known = _table(candidate)
    text = sample.decode(candidate.codec, "replace")
    return [_ASCII if c < "\x80" else known.get(c, candidate.other) for c in text]


@cache
def _table(candidate: _Candidate) -> dict[str, float]:
    if candidate is _UTF8:
        known: dict[str, float] = {}
        for table in map(_table, (*_WESTERN, *_DOUBLE, *_LATIN, *_ALPHABETS)):
            known |= {c: min(cost, known.get(c, cost)) for c, cost in table.items()}
        return known
    codec, first, last = candidate.usual
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0x40, 0xFF))
    usual = b"\n".join(pairs).decode(codec, "ignore") if codec else ""
    ranked = {c: log(_FIRST_RANK + rank) for rank, c in enumerate(dict.fromkeys(candidate.common))}
    rare = dict.fromkeys(usual, _RARE + log(len(usual) or 1))
    return {**rare, **ranked, "\ufffd": _UNREADABLE}


def unmarked(data: bytes) -> str:
    """UTF-16 as Python calls it if a text is that without its mark; else nothing.

    Every other byte of what is ASCII is zero then, and a text begins with such; zero bytes around
    a text or between its parts are no more than that.
    """
    start = data[: _HEAD - _HEAD % 2]
    if b"\0" not in start[:2] or (len(data) < _HEAD and len(data) % 2):
        return ""
    high, low = start[::2], start[1::2]
    if start[0]:
        high, low = low, high
    zeros = high.count(0)
    zero = 2 * low.count(0) <= zeros and zeros * _FEWEST_ZEROS >= len(high)
    return ("utf-16-le" if start[0] else "utf-16-be") if zero else ""
