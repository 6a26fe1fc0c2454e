import sys

import pytest

from skillret.agents.install.steps import install, status, uninstall


@pytest.mark.parametrize(
    ("agent", "folder", "off", "on"),
    [
        ("claude-code", ".claude", '{"disableAllHooks": true}', '{"disableAllHooks": false}'),
        (
            "gemini-cli",
            ".gemini",
            '{"hooksConfig": {"enabled": false}} // by hand',
            '{"hooksConfig": {"enabled": true}}',
        ),
    ],
)
def test_a_file_that_turns_hooks_off_is_told(home, program, agent, folder, off, on):
    file = home / folder / "settings.json"
    file.parent.mkdir()
    program[0] = sys.executable
    for text, told in ((off, True), (on, False), ('{"hooksConfig": 1}', False)):
        file.write_text(text)
        for dry_run in (True, False, False):  # the last finds it written
            (step,) = install([agent], dry_run=dry_run)
            assert ("no hook is run" in step.message) is told
        (state,) = status()
        assert state.state == "installed"
        assert ("no hook is run" in state.message) is told
        uninstall()
        assert file.read_text() == text
