import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.lexical.analyzer import read_terms, read_words
from skillret.lexical.spelling import normalize, simplified, spell

LANGUAGES = [
    "C",
    "C++",
    "C#",
    "F#",
    "Java",
    "JavaScript",
    ".NET",
    "Node.js",
    "R",
    "Go",
    "Objective-C",
]


def test_names_that_differ_by_signs_are_different_words():
    terms = [set(read_terms(f"review my {name} code")) - {"review", "code"} for name in LANGUAGES]
    for number, one in enumerate(terms):
        assert one
        assert not any(one & other for other in terms[number + 1 :])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("c++", "C++20"),
        ("c plus plus", "cpp"),
        ("C#", "c sharp"),
        ("C♯", "csharp"),
        (".net", "dotnet"),
        ("ASP.NET", "aspnet"),
        ("nodejs", "Node.js"),
        ("node js", "NodeJS"),
        ("golang", "a Go service"),
        ("objc", "objective-c"),
        ("getUserById", "get_user_by_id"),
        ("getUserById", "the get user by id call"),
        ("crash loop backoff", "CrashLoopBackOff"),
        ("image pull back off", "ImagePullBackOff"),
        ("k8s http server", "K8sHTTPServer"),
        ("k8s", "Kubernetes"),
        ("my JS bundle", "JavaScript bundles"),
        ("main.js", "javascript"),
        ("i18n", "internationalization"),
        ("a11y audit", "Accessibility"),
        ("authn", "authentication"),
        ("crashloopbackoff", "CrashLoopBackOff"),
        ("caf\u00e9", "cafe\u0301"),
        ("resume", "R\u00e9sum\u00e9"),
        ("NI\u00d1OS", "ninos"),
        ("strasse", "Stra\u00dfe"),
        (
            "\u03a3\u0397\u039c\u0395\u0399\u03a9\u03a3\u0397",
            "\u03c3\u03b7\u03bc\u03b5\u03af\u03c9\u03c3\u03b7",
        ),
        ("ёлка", "елка"),
        ("ＰＤＦ", "pdf"),
        ("auto\u00admatic", "automatic"),
        ("翻译", "把技术文档翻译成英文"),
        ("检查 react", "使用React检查发票"),
        ("번역", "번역을"),
        ("檢查發票", "检查发票"),
        ("翻译", "將技術文件翻譯成英文"),
        ("サーバ", "サーバーのログ"),
        ("C++", "审查C++代码"),
        ("C#", "审查我的C#代码"),
        ("F#", "F#のコード"),
        ("C++", "C++를"),
        ("dotnet", ".NET项目升级"),
        ("ASP.NET", "使用ASP.NET开发"),
        ("golang", "用Go写服务"),
        ("Node.js", "用Node.js写"),
        ("objc", "objective-c代码"),
        ("k8s", "部署k8s集群"),
        ("R&D", "改善R&D流程"),
        ("Java", "Java21"),
        ("python3", "Python 3"),
        ("PHP", "php8.2"),
        ("vue3", "Vue"),
        (".NET8", ".NET 8"),
        ("net8.0", ".NET"),
        ("PostgreSQL16", "postgresql"),
        ("http3", "HTTP/3"),
        ("nodejs20", "Node.js"),
        ("Node.js20", "node"),
        ("TypeScript5", "typescript"),
        ("Java", "用Java21写"),
    ],
)
def test_what_is_one_word_meets(one, other):
    assert set(read_terms(one)) & set(read_terms(other))


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("PDFs and iOS, GitHub", "pdfs and ios, github"),
        ("Go to example.net", "go to example.net"),
        ("go/no-go, Go back", "go/no-go, go back"),
        ("anchor/c#x a&&b i++", "anchor/c#x a&&b i++"),
        ("猫 是 一只小猫", " 猫   是   一只 只小 小猫 "),
        ("R&D", "rd"),
        ("s3 ec2 h264 utf8 base64 web3 md5 mp3", "s3 ec2 h264 utf8 base64 web3 md5 mp3"),
        ("log4j context7 auth0 net0 go1 javan21", "log4j context7 auth0 net0 go1 javan21"),
        ("AAAAaaaa" * 20, "aaaaaaaa" * 20),
    ],
)
def test_what_is_no_compound_stays(text, spelt):
    assert spell(text) == spelt


def test_a_version_stays_a_term_of_its_own():
    assert read_terms("Java21") == ("java21", "java")
    assert read_terms("TypeScript5") == ("typescript5", "typescript")


@given(st.text())
def test_one_form_is_as_good_as_another(text):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert spell(unicodedata.normalize(form, text)) == spell(text)
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [
        ("寫一份項目週報", "写一份项目周报"),
        ("遊戲委託與認証", "游戏委托与认证"),
        ("專家諮詢", "专家咨询"),
        ("羣發後臺麵條", "群发后台面条"),
        ("裏面與裡面的頭髮", "里面与里面的头发"),
        ("啓動線路爲綫路", "启动线路为线路"),
    ],
)
def test_traditional_and_simplified_characters_meet(traditional, simple):
    assert read_terms(traditional) == read_terms(simple)


def test_a_simplified_form_is_not_simplified_again():
    forms = simplified()
    assert len(forms) > 2400
    assert not [form for form in forms.values() if forms.get(ord(form), form) != form]


@pytest.mark.parametrize("around", ["审查{}代码", "{}のコード", "{}를", "โค้ด{}"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_a_name_is_one_word_beside_characters_without_spaces(around, name):
    text = around.format(name)
    spaced = read_terms(around.format(f" {name} "))
    assert read_terms(text) == spaced
    assert [term for word in read_words(text) for term in word.terms] == [*spaced]
