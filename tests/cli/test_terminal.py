import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.cli.terminal import columns, fold, is_coloured, tilde


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("variables", "terminal", "pipe"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),  # as if unset
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
    ],
)
def test_when_there_are_colours(variables, terminal, pipe, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (is_coloured(Terminal()), is_coloured(io.StringIO())) == (terminal, pipe)


def test_wide_characters_take_two_columns():
    assert columns("容器 cafe\u0301") == 9
    assert (
        fold("把扫描的文件转换成电子表格 and more", 14, "  ", 2) == "  把扫描的文件\n  转换成电 ..."
    )
    assert fold("a " * 30, 10, lines=1) == "a a a ..."
    assert fold("x" * 25, 10, lines=3) == "xxxxxxxxxx\nxxxxxxxxxx\nxxxxx"


@given(st.text(max_size=200), st.integers(20, 60), st.integers(1, 3))
def test_no_line_is_wider_than_the_room(text, room, lines):
    folded = fold(text, room, "  ", lines).split("\n")
    assert len(folded) <= lines
    assert all(columns(line) <= room for line in folded)
    if not folded[-1].endswith(" ..."):
        assert "".join("".join(folded).split()) == "".join(
            "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split())).split()
        )


def test_the_home_is_a_tilde_where_a_shell_would_put_it_back(home):
    assert tilde(f"{home}/a/SKILL.md") == "~/a/SKILL.md"
    assert tilde(f"built {home}: x ({home}/b, 3)") == "built ~: x (~/b, 3)"
    for text in (f"--library '{home}/my skills'", f"{home}stead/a", f"/mnt{home}/a"):
        assert tilde(text) == text


@pytest.mark.parametrize("nowhere", ["/", "relative"])
def test_a_home_that_is_none_stays(monkeypatch, nowhere):
    monkeypatch.setenv("HOME", nowhere)
    assert tilde("/a/b relative/b") == "/a/b relative/b"
