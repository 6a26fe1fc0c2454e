import pytest

from skillret.lexical.analyzer import read_terms, read_words
from skillret.lexical.polite import is_small_talk, without_ending

SMALL_TALK = """
감사합니다
감사합니다!
정말 감사합니다 :)
네, 알겠습니다.
죄송합니다
수고하셨습니다~
안녕하세요
부탁드립니다
계속해 주세요
ありがとうございます
はい、お願いします。
失礼します
お疲れ様でした！
よろしくお願いいたします
谢谢
好的，谢谢！
辛苦了
謝謝你
没问题
继续
"""
REQUESTS = """
감사 보고서
감사합니다. 이제 계약서도 검토해 주세요
계약서 검토해 주세요
좋은 계약서
週報を書いてください
お礼状を書いて
ありがとうの手紙
谢谢信
写一封感谢信
好的合同
thanks
OK

!
"""


@pytest.mark.parametrize("query", SMALL_TALK.strip().splitlines())
def test_small_talk_is_told(query):
    assert is_small_talk(query)


@pytest.mark.parametrize("query", REQUESTS.splitlines())
def test_a_request_is_no_small_talk(query):
    assert not is_small_talk(query)


@pytest.mark.parametrize(
    ("run", "stem"),
    [
        ("작성합니다", "작성"),
        ("사용됩니다", "사용"),
        ("검토했습니다", "검토"),
        ("보고서입니다", "보고서"),
        ("그립니다", "그리"),
        ("검토하세요", "검토"),
        ("만들어주세요", "만들"),
        ("번역해줘", "번역"),
        ("부탁드립니다", ""),
        ("주세요", ""),
        ("요약하고", "요약"),
        ("배포한다", "배포"),
        ("작성하기", "작성"),
        ("분석하여", "분석"),
        ("만들었다", "만들"),
        ("찾는다", "찾"),
        ("그린다", "그리"),
        ("있다", ""),
        ("를", ""),
        ("판다", "판다"),
        ("이해", "이해"),
        ("하자", "하자"),
        ("보고", "보고"),
        ("아니다", "아니다"),
        ("개요", "개요"),
        ("니다", "니다"),
        ("使用します", "使用"),
        ("作成しました", "作成"),
        ("書いてください", "書い"),
        ("翻訳してほしい", "翻訳"),
        ("確認をお願いします", "確認"),
        ("使えますか", "使え"),
        ("必要です", "必要"),
        ("お願いします", ""),
        ("です", ""),
        ("翻訳して", "翻訳"),
        ("要約する", "要約"),
        ("要約した", "要約"),
        ("要約しろ", "要約"),
        ("コミットしておいて", "コミット"),
        ("修正してくれる", "修正"),
        ("確認すること", "確認"),
        ("説明されている", "説明"),
        ("実行できた", "実行"),
        ("教えて", "教え"),
        ("調べる", "調べ"),
        ("作る", "作る"),
        ("まだ", "まだ"),
        ("すし", "すし"),
        ("合同", "合同"),
        ("ข้อความ", "ข้อความ"),
        ("", ""),
    ],
)
def test_an_ending_is_left_out(run, stem):
    assert without_ending(run) == stem


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("주간 업무 보고서를 작성합니다.", "감사합니다"),
        ("계약서를 검토할 때 사용합니다", "행사 포스터를 디자인합니다."),
        ("週報を作成します。", "お願いします"),
        ("契約書をレビューします", "失礼します"),
        ("予定を教えてください", "文書を翻訳してください"),
        ("請求書の内容をチェックして、合計金額を検算する。", "要約して"),
        ("旅行の日程表を作る。ホテルを予約する。", "削除する"),
        ("코드를 검토하고 보고한다.", "배포하고 삭제한다"),
        ("PDF를 결합한다", "README를 요약하기"),
    ],
)
def test_polite_texts_share_no_terms_for_that(text, other):
    assert not {*read_terms(text)} & {*read_terms(other)}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("검토해 주세요", "계약서를 검토하고 표시합니다"),
        ("번역해줘", "문서를 번역합니다"),
        ("번역하기", "문서를 번역합니다"),
        ("翻訳して", "文書を英語に翻訳します"),
        ("そのファイルを作成してください", "週報を作成します"),
        ("お願いします。契約書を見て", "契約書をレビューします"),
    ],
)
def test_stems_meet_whatever_they_end_in(query, text):
    assert {*read_terms(query)} & {*read_terms(text)}


def test_words_have_the_terms_of_their_text():
    for text in ("계약서 검토해 주세요, 감사합니다", "週報を作成します。お願いします"):
        assert [t for word in read_words(text) for t in word.terms] == list(read_terms(text))
