from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from skillret.serving.page.render import render
from tests.serving.page.conftest import EVIL_BODY

TAGS = frozenset(
    "a p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong s hr br table thead tbody tr th"
    " td span".split()
)


class Inert(HTMLParser):
    """Makes sure that there is nothing but what is harmless."""

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in {"href", "rel", "target", "class"}, name
            if name == "href":
                assert value.lower().startswith(("http://", "https://")), value
                assert ("rel", "noopener noreferrer nofollow") in attrs


def check(text):
    html = render(text)
    Inert(convert_charrefs=True).feed(html)
    return html


def test_markdown_is_rendered():
    html = check("# One\n\n*a* **b** ~~c~~ `d`\n\n1. x\n\n| a |\n|---|\n| 1 |\n\n> q\n")
    for part in ("<h1>One</h1>", "<em>a</em>", "<s>c</s>", "<code>d</code>", "<ol>", "<table>"):
        assert part in html


def test_html_is_shown_as_text():
    html = check(EVIL_BODY)
    assert "&lt;script&gt;hit()&lt;/script&gt;" in html
    assert "<img" not in html
    assert "<script" not in html


def test_links_lead_to_http_alone():
    html = check("[a](https://e.org/x) [b](javascript:x) [c](JaVaScRiPt:x) [d](run.sh) [e](#f)")
    assert html.count("href=") == 1
    assert '<a class="nowhere">d</a>' in html
    assert "href" not in check("[a](vbscript:x) [b](data:text/html,x) [c](//e.org) [d](file:///x)")


def test_pictures_become_words():
    html = check('![a *cat*](http://e.org/c.png "t") ![](x.png)')
    assert '<span class="picture">a cat</span>' in html
    assert '<span class="picture">picture</span>' in html
    assert "e.org" not in html


def test_alignment_is_a_class():
    assert '<td class="to-right">1</td>' in check("| a |\n|--:|\n| 1 |\n")


def test_what_is_too_long_or_too_deep_is_cut():
    assert "The rest is not shown" in check("x " * 200_000)
    check("> " * 5000 + "x")
    check("[" * 5000)
    check("* " * 3000 + "x")


@given(st.text(max_size=300))
def test_no_text_is_harmful(text):
    check(text)


@given(
    st.lists(
        st.sampled_from(
            ["<", ">", '"', "'", "![", "](", ")", "javascript:", "http://", "`", "\n", "|--:|", "a"]
        ),
        max_size=30,
    ).map("".join)
)
def test_no_markup_is_harmful(text):
    check(text)
