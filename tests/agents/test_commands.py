import shlex
import sys
from pathlib import Path

import pytest

from skillret.agents import commands
from skillret.agents.commands import as_string, command


def test_a_command_is_absolute_and_the_same_each_time():
    words = command("hook", "codex")
    assert Path(words[0]).is_absolute()
    assert words[-2:] == ["hook", "codex"]
    assert words == command("hook", "codex")
    assert shlex.split(as_string(words, "sh")) == words


def test_python_runs_it_where_the_program_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(commands.sysconfig, "get_path", lambda *_: str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "other")])
    assert command("mcp") == [sys.executable, "-m", "skillret", "mcp"]
    called = tmp_path / "bin" / ("skillret.exe" if sys.platform == "win32" else "skillret")
    called.parent.mkdir()
    called.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(called)])
    assert command("mcp") == [str(called), "mcp"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("sh", r"'C:\Program Files\skillret.exe' hook"),
        ("cmd", r'"C:\Program Files\skillret.exe" hook'),
        ("powershell", r"& 'C:\Program Files\skillret.exe' 'hook'"),
    ],
)
def test_each_shell_has_its_quotes(shell, expected):
    assert as_string([r"C:\Program Files\skillret.exe", "hook"], shell) == expected
    plain = [r"C:\tools\skillret.exe", "hook"]
    if shell != "sh":
        assert as_string(plain, shell) == " ".join(plain)
