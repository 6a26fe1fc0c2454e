"""What Korean, Japanese and Chinese say to be polite, and how verbs end: it means little.

Verbs of Korean and Japanese end politely in texts and in requests alike, and whole phrases ask,
thank and greet. Such words are cut into pairs of characters as all others are, so that "thank you"
would share most of its terms with any skill in the same language, and "translate" in the plain
form, in which agents are told what to do, half of them.
"""

from __future__ import annotations

from skillret.patterns import lazy_pattern

__all__ = ["is_small_talk", "without_ending"]

# What asks, thanks, excuses or greets, wherever it stands.
_KOREAN = """
감사합니다 감사해요 감사드립니다 감사드려요 감사하겠습니다 고맙습니다 고마워요 고마워 죄송합니다
죄송해요 죄송하지만 미안합니다 미안해요 미안해 실례합니다 실례지만 안녕하세요 안녕하십니까 안녕히
계세요 수고하셨습니다 수고하세요 수고했어요 수고하십니다 부탁드립니다 부탁드려요 부탁합니다
부탁해요 부탁해 반갑습니다 천만에요 주세요 주십시오 주시겠어요 주실래요 줘 줘요 주시기 바랍니다
알겠습니다 알겠어요 알았습니다 알았어요 괜찮습니다 괜찮아요
""".split()
_JAPANESE = """
ありがとう ありがとうございます ありがとうございました どうも すみません すいません ごめんなさい
申し訳ありません 申し訳ございません 申し訳ないです 失礼します 失礼しました 失礼いたします
お願いします お願いいたします お願い致します お願いできますか よろしく 宜しく よろしくお願いします
よろしくお願いいたします よろしくお願い致します 宜しくお願いします 宜しくお願いいたします
宜しくお願い致します どうぞ お疲れ様です お疲れ様でした お疲れさまです お疲れさまでした こんにちは
こんばんは おはようございます さようなら かしこまりました 承知しました 承知いたしました 承知です
了解です 了解しました わかりました 分かりました どういたしまして
""".split()
# What else people say between tasks. Each stands for something elsewhere, so it is no stop word.
_BETWEEN = """
네 넵 넹 예 응 아니요 아니오 좋아요 좋아 좋습니다 안녕 수고 정말 너무 도와주셔서 맞아요 맞습니다
알겠어 알았어 확인했습니다 완벽합니다 훌륭합니다 잘했어요 계속 계속해 계속하세요 ㅇㅋ ㅇㅇ ㅋ ㅎ
ㄱㅅ はい いいえ うん ええ おはよう ごめん お疲れ様 お疲れさま 了解 承知 わかった 分かった
いいですね いいね 大丈夫です 助かります 助かりました 続けて 続けてください 続けて下さい 完璧です
最高です なるほど 谢谢 谢谢你 谢谢您 谢谢大家 谢谢啦 谢了 多谢 感谢 非常感谢 十分感谢 好 好的 好吧
好啊 好滴 好了 行 可以 可以的 嗯 哦 是的 是 对 对的 没错 不是 不用 不用了 不用谢 不客气 没事
没事了 没问题 没关系 辛苦 辛苦了 您辛苦了 你辛苦了 明白 明白了 知道了 了解 了解了 收到 你好 您好
再见 拜拜 早 早上好 下午好 晚上好 晚安 对不起 不好意思 抱歉 继续 请继续 太好了 太棒了 很好 不错
完美 哈 加油 謝謝 謝謝你 謝謝您 謝謝大家 謝了 多謝 感謝 非常感謝 十分感謝 對 對的 沒錯 不用謝
不客氣 沒事 沒事了 沒問題 沒關係 您辛苦了 瞭解 再見 對不起 繼續 請繼續 不錯
""".split()
# Endings that hang on a stem. The longest that fits is taken.
_KOREAN_ENDING = (
    r"(?:(?:[하되이]|[하되]였|이었|[하되]겠|[해했됐]|되었|하시|시키)?(?:습니다|습니까|겠습니다|십시오|세요|셔요)"
    r"|[합됩입]니다|[합됩입]니까|[하되]?시겠습니까|(?:해|[어아여])?드립니다|(?:해|[어아여])?줍니다"
    r"|(?:해|[어아여])?주(?:세요|십시오|시겠어요|실래요|실수있나요|시면|시기)|(?:해|[어아여])?줘(?:요|라)?"
    r"|(?:해|[어아여])?줄래요?|(?:할|될|을)까요|(?:할|을)게요|할래요|[하되]?나요|인가요|[하되]?네요"
    r"|[하이]?죠|[하이]?지요|해요|돼요|[했됐]어요|[었았]어요|이에요|예요|에요|[어아]요|군요|데요"
    r"|[었았했겠]습니다|[있없같싶]습니다|[있없싶]어요|있나요|바랍니다)"
)
_JAPANESE_ENDING = (
    r"(?:(?:を|の)?お願い(?:し|いたし|致し)(?:ます|たいです)"
    r"|(?:[してで]てい|てい|でい|し|いたし|致し)?ま(?:す|した|せん(?:でした)?|しょう)"
    r"|(?:して|て|で)?(?:ください(?:ませ)?|下さい|ほしい(?:です)?|欲しい(?:です)?"
    r"|(?:いただけ|頂け|もらえ|貰え|くれ)ま(?:す|せん))"
    r"|したい(?:(?:の|ん)?です)?|たい(?:の|ん)?です|(?:なの|なん)?です|でし(?:た|ょう)|ござい(?:ます|ました))"
    r"(?:か|が|ので|から|けど|けれど|と|ね|よ|よね)?"
)
# Endings of the plain form: of "to do" and "to be" whole, of other verbs without their stem.
_KOREAN_PLAIN = (
    r"(?:(?:[하되]|시키)(?:고|고서|고싶다|고싶어|기|는|는데|며|면|면서|다|여|도록|려고|려면|지만|거나|므로|니까)"
    r"|[한된]다|시킨다|[하되]였다|되었다|[했됐]다|[해돼](?:서|야|도)|시켜서?"
    r"|[있없같싶않](?:다|는|는다|고|으면|지만|어|어서)"
    r"|(?<=.)(?:[하되][자지게라]|[해돼][라봐]|는다|[었았였]다))"
)
_HELP = (  # verbs behind another one
    r"(?:お(?:いて|いた|く)|い(?:る|た|て|ない)|る|くれ(?:る|た|ない)?|もら(?:える|えない|う|った)"
    r"|み(?:て|る|た)|あ(?:る|った)|き(?:て|た)|くる|しま(?:う|った))"
)
_JAPANESE_PLAIN = (
    rf"(?:する|せよ|し(?:ろ|よう|なさい|ない|ないで|なかった)"
    rf"|(?:し|され|させ|でき)(?:[たる]|て{_HELP}?)|[てで]{_HELP}|といて|(?<=..)[てでただる])"
    r"(?:か|が|ので|から|けど|けれど|と|ね|よ|よね|な|の|こと|ため|とき)?"
)
# Particles of a word in another script ("PDF를") are characters by themselves.
_PARTICLES = "을 를 이 가 은 는 의 에 로 으로 와 과 도 에서 에게 까지 부터".split()
_HANGUL, _LAST_HANGUL = "\uac00", "\ud7a3"
_FINALS = 28  # consonants that a syllable may end in, none of them too
# Endings that begin with a consonant at the end of the stem: what is a syllable of its own, the
# place of the consonant, and the syllables that there must be in front.
_IN_STEM = (("니다", 17, 1), ("다", 4, 2))  # -ㅂ니다; -ㄴ다, which ends short names (판다) as well
_LONGEST = 60  # characters of small talk
_LETTERS = lazy_pattern(r"[\W_]+")
_ENDING = lazy_pattern(
    rf"(?:^(?:{'|'.join((*_KOREAN, *_PARTICLES, *_JAPANESE))})"
    rf"|{_KOREAN_ENDING}|{_KOREAN_PLAIN}|{_JAPANESE_ENDING}|{_JAPANESE_PLAIN})$"
)
_SMALL_TALK = lazy_pattern(f"(?:{'|'.join((*_KOREAN, *_JAPANESE, *_BETWEEN))})+")


def without_ending(run: str) -> str:
    """Characters without spaces as they are without their ending; empty if they are one."""
    last = run[-1:]
    if not (_HANGUL <= last <= _LAST_HANGUL or "\u3041" <= last <= "\u3096"):
        return run
    found = _ENDING().search(run)
    return _stem(run) if found is None else run[: found.start()]


def is_small_talk(query: str) -> bool:
    """Whether a query is but what Korean, Japanese or Chinese says between tasks."""
    if query.isascii() or len(query) > _LONGEST:
        return False
    return _SMALL_TALK().fullmatch(_LETTERS().sub("", query)) is not None


def _stem(run: str) -> str:
    """A verb of Korean without its ending, half of which is written into the stem."""
    for ending, final, least in _IN_STEM:
        stem = run.removesuffix(ending)
        last = stem[-1:]
        if stem == run or len(stem) < least or not _HANGUL <= last <= _LAST_HANGUL:
            continue
        if (ord(last) - ord(_HANGUL)) % _FINALS == final:
            return stem[:-1] + chr(ord(last) - final)
    return run
