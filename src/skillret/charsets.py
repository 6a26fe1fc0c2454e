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

__all__ = ["LATIN", "is_escaped", "is_mostly_utf8", "legacy_encoding", "name_of", "unmarked"]

LATIN = "cp1252"  # what is not ASCII in a Western text, and what a byte or two most likely are

_HEAD = 64  # bytes that tell UTF-16, ...
_FEWEST_ZEROS = 3  # ... one in so many of its characters at least ASCII
_SAMPLE = 4000  # bytes; behind the first ones that are not ASCII, line by line
_FROM_FIRST = re.compile(rb"[\x80-\xff][^\r\n]*")
_RUNS = re.compile(rb"[\x80-\xff]+")
_ESCAPED = "iso2022_jp"
_ESCAPES = (b"\x1b$B", b"\x1b$@")  # what begins its characters

# Costs, in nats. Those of a common character are 2 to 5.
_FIRST_RANK = 8
_ASCII = 2.0
_RARE = 0.4  # and the logarithm of their number: one of the encoding's usual characters
_STRANGE = 14.0
_UNREADABLE = 25.0
_DOUBTFUL = 12.0  # by character: no text, or one in an encoding that is not listed

# The characters of texts about software and work, the commonest first.
_PUNCTUATION = "，、。：；！？（）"
_SIMPLIFIED = (
    "的一是不在有了人和用为中文数以要可上时个会成行出到分大对生这能法作于据发件多新方户如定入理过后自动进面使"
    "及表果所们来点或并等请提部设改日类应内器名现前加问值程组置关信查务录全量机列资格网义编目选长系认项态无本重"
    "学错误下线接结支持示创建测试写代码开体包输回报流题地实需"
)
_TRADITIONAL = (
    "的一是不在有了人和用為中文數以要可上時個會成行出到分大對生這能法作於據發件多新方戶如定入理過後自動進面使"
    "及表果所們來點或並等請提部設改日類應內器名現前加問值程組置關信查務錄全量機列資格網義編目選長系認項態無本重"
    "學錯誤下線接結支持示創建測試寫代碼開體包輸回報流題地實需檔案料訊"
)
_JAPANESE = (
    "、。「」・のるにいをしはなたてとがれんすでっまうきりかさくあもンーストよこラルタイらけどクアそドフえつロせシグ"
    "ちプレマテおやコトムわチナジめサろデみバへじビだびばげべぎぐござずゃゅょブエカキパィッャュョオモ定日表行用文"
    "作成分場合使一会件変更時間必要名前入力出設認実方法書"
)
_KOREAN = (
    "이다의는에을를가은로하고지사기한리서도인자시어나아해대스정일원과수부들그전제주상보장구문용여게만선공신유조동"
    "적경소계안관성비오음으할입력록내요생각되있없니습형위목명식또함면우모세무드트파터라크데값택확업설된개할한체번호잘못때방법단변환분류결외간재준등했"
)


class _Candidate(NamedTuple):
    codec: str
    name: str
    common: str  # the commonest characters first
    usual: tuple[str, int, int] = ("", 0, 0)  # rows of a double-byte set: its codec, first, last


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


def is_escaped(data: bytes) -> bool:
    """Whether bytes hold Japanese text as mail does, in ISO-2022-JP, though all are ASCII."""
    return any(escape in data for escape in _ESCAPES) and data.isascii()


def is_mostly_utf8(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are so in most of their letters: a few are damaged."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    return sum(character > "\x7f" for character in text) >= 2 * bad


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
    sample = b"\n".join(_FROM_FIRST.findall(data))[:_SAMPLE]
    best = min(_candidates(sample), key=lambda candidate: sum(_costs(sample, candidate)))
    others = [cost for cost in _costs(sample, best) if cost != _ASCII]
    return best.codec if sum(others) < _DOUBTFUL * len(others) else None


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
    return [_ASCII if character < "\x80" else known.get(character, _STRANGE) for character in text]


@cache
def _table(candidate: _Candidate) -> dict[str, float]:
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
