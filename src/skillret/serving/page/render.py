"""Untrusted Markdown as HTML that is safe to show: no HTML of its own, no pictures, plain links."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

__all__ = ["render"]

# Characters: nobody reads more, and the time of some, such as many brackets, grows with the square.
_MOST = 40_000
_NESTED = 40  # levels of lists and quotes, below what a browser or a stack bears
_SCHEMES = ("http://", "https://")
_CUT = "\n\n*The rest is not shown here.*\n"


def render(text: str) -> str:
    """HTML of Markdown (CommonMark with tables and strikethrough) by anyone.

    It has no attributes but `href`, `rel`, `target` and `class`, and no element that loads
    anything. HTML in the text is shown as text; links lead to http and https alone; of a picture
    its description is left; what stands between `---` lines at the start is shown as code.
    """
    if len(text) > _MOST:
        text = text[:_MOST] + _CUT
    return str(_markdown().render(text))


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTED})
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = _may_link  # type: ignore[method-assign]
    for name, rule in _RULES.items():
        markdown.add_render_rule(name, rule)
    return markdown


def _may_link(url: str) -> bool:
    """Whether a link is made at all: where not, its Markdown is shown as it was written.

    Of pictures nothing is loaded, so their addresses do not matter.
    """
    return not url.strip().lower().startswith(("javascript:", "vbscript:", "data:", "file:"))


def _link(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """The start of a link; of one that leads nowhere from here a mere mark."""
    token = tokens[place]
    address = str(token.attrGet("href") or "")
    if address.lower().startswith(_SCHEMES):
        rest = {"rel": "noopener noreferrer nofollow", "target": "_blank"}
        token.attrs = {"href": address, **rest}
    else:  # a file of the skill, an anchor, mail
        token.attrs = {"class": "nowhere"}
    return renderer.renderToken(tokens, place, options, env)


def _image(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """What a picture shows, in words."""
    token = tokens[place]
    text = renderer.renderInlineAsText(token.children or [], options, env)
    shown = _escaped(text.strip() or "picture")
    return f'<span class="picture">{shown}</span>'


def _cell(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """A cell of a table: its alignment is a class, since inline styles are forbidden."""
    token = tokens[place]
    style = str(token.attrs.pop("style", ""))
    if style.startswith("text-align:"):
        token.attrs["class"] = f"to-{style.removeprefix('text-align:')}"
    return renderer.renderToken(tokens, place, options, env)


def _plain_list(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """A numbered list, which begins at 1 whatever was written."""
    tokens[place].attrs.clear()
    return renderer.renderToken(tokens, place, options, env)


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


def _fence(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: Any,
    env: MutableMapping[str, Any],
) -> str:
    """Code, without the class that its author's word would name."""
    return f"<pre><code>{_escaped(tokens[place].content)}</code></pre>\n"


_RULES = {
    "link_open": _link,
    "image": _image,
    "th_open": _cell,
    "td_open": _cell,
    "ordered_list_open": _plain_list,
    "fence": _fence,
}
