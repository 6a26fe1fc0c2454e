import pytest

from skillret.agents import commands

SETTINGS = '{\n  // by hand\n  "model": "opus",\n}\n'


@pytest.fixture
def program(monkeypatch):
    words = ["/opt/my tools/skillret"]
    monkeypatch.setattr(commands, "_program", lambda: list(words))
    monkeypatch.setenv("PATH", "/nowhere")
    return words


@pytest.fixture
def claude(home, program):
    file = home / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text(SETTINGS)
    return file
