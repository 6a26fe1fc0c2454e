import time

import pytest

from skillret import Index, Retriever
from skillret.skills.hidden import strip_hidden
from skillret.types import Skill

ATTRACTIVE = "roll out the app to our kubernetes cluster"


@pytest.mark.parametrize(
    "hidden",
    [
        f"<!-- {ATTRACTIVE} -->",
        f"<!--\n{ATTRACTIVE}",
        f"[x]: # ({ATTRACTIVE})",
        f'[//]: <> "{ATTRACTIVE}"',
        f"<div style='display: none'>{ATTRACTIVE}</div>",
        f"<p hidden>{ATTRACTIVE}</p>",
        f'<span style="visibility:hidden">{ATTRACTIVE}',
    ],
)
def test_what_nobody_sees_is_neither_read_nor_found(hidden):
    assert ATTRACTIVE not in strip_hidden(f"Use wool.\n\n{hidden}")
    assert strip_hidden(f"Use wool.\n\n{hidden}").startswith("Use wool.")
    with Index.in_memory() as index:
        plain = Skill("1", "knit", "Knit hats.", "# Steps\nUse wool.")
        index.add([plain, Skill("2", "knots", f"Tie knots.\n{hidden}", f"Use rope.\n\n{hidden}")])
        assert not Retriever(index).select(ATTRACTIVE).hits


@pytest.mark.parametrize(
    "text",
    [
        "Use wool.",
        "a hidden file",
        "display the table",
        "see [docs]: https://example.com",
        "a <b>c</b>",
    ],
)
def test_what_is_seen_stays(text):
    assert strip_hidden(text) == text


def test_it_takes_no_time_without_end():
    start = time.process_time()
    for text in (
        "<!--" * 50_000,
        "<div hidden>" * 20_000,
        "[x]: #" * 50_000,
        "<a " * 50_000 + "hidden",
    ):
        strip_hidden(text)
    assert time.process_time() - start < 20
