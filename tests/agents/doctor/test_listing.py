import pytest
from tests.conftest import write_skill

from skillret.agents.doctor import Examined
from skillret.agents.doctor.listing import check, claude_budget
from skillret.skills import Library


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (8000, 1536)),
        ({"skillListingBudgetFraction": 0.02, "skillListingMaxDescChars": 300}, (16000, 300)),
        ({"skillListingBudgetFraction": "x", "skillListingMaxDescChars": True}, (8000, 1536)),
    ],
)
def test_the_budget_is_that_of_the_settings(settings, expected, monkeypatch):
    monkeypatch.delenv("SLASH_COMMAND_TOOL_CHAR_BUDGET", raising=False)
    assert claude_budget(settings)[:2] == expected
    monkeypatch.setenv("SLASH_COMMAND_TOOL_CHAR_BUDGET", "123")
    assert claude_budget(settings).characters == 123


def test_what_is_cut_counts_names_descriptions_and_overrides(tmp_path, home):
    for number in range(20):
        write_skill(tmp_path / "skills", f"skill-{number:02}", "word " * 100)
    write_skill(tmp_path / "skills", "long", "word " * 400)
    library = Library.open(tmp_path / "skills")
    agents = {"claude-code": library, "codex": library}
    examined = Examined(library, agents, None, tmp_path, home)
    findings = list(check(examined))
    assert [(f.kind, f.skill) for f in findings] == [("listing", ""), ("listing-entry", "long")]
    assert "Claude Code lists 8,000 characters" in findings[0].message
    assert "1,999 characters" in findings[1].message
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text(
        '{"skillOverrides": {"long": "off"}, "skillListingBudgetFraction": 0.05}'
    )
    assert list(check(examined)) == []
