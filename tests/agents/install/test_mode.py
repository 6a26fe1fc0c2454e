from skillret.agents.install.changes import Change, Edit
from skillret.agents.install.steps import install, uninstall, write_change
from skillret.settings import FILE, load_settings


def done(steps):
    return [(step.owner, step.done) for step in steps]


def test_the_mode_is_a_line_of_the_settings(claude, home):
    file = home / ".config" / "skillret" / FILE
    install(mode="quiet")
    assert load_settings().mode == "quiet"
    assert done(install(mode="eager"))[-1] == ("mode", "written")
    assert file.read_text().count("mode") == 1
    file.write_text("# mine\nlimit = 3\n" + file.read_text())
    assert done(install(mode="eager"))[-1] == ("mode", "unchanged")
    assert done(uninstall())[-1] == ("mode", "cleaned")
    assert file.read_text() == "# mine\nlimit = 3\n"
    file.write_text('mode = "normal"\n[[dismiss]]\nfinding = "copy"\nreason = "y"\n')
    assert done(install(mode="normal"))[-1] == ("mode", "unchanged")
    step = install(mode="quiet")[-1]
    assert (step.done, "change it there, to 'quiet'" in step.message) == ("refused", True)
    file.write_text("mode")
    assert "not valid TOML" in install(mode="quiet")[-1].message
    file.write_text('[[dismiss]]\nfinding = "copy"\nreason = "y"\n')
    install(mode="quiet")
    assert load_settings().mode == "quiet"


def test_the_mode_goes_with_the_last_agent_that_asks(claude, home):
    (home / ".codex").mkdir()
    write_change(
        Change(
            "mcp cursor", "Cursor, MCP", home / "x.json", home, (Edit(("servers", "skillret"), 1),)
        )
    )
    install(mode="quiet")
    assert done(uninstall(["codex"])) == [("codex", "removed")]
    assert load_settings().mode == "quiet"
    planned = done(uninstall(["claude-code"], dry_run=True))
    assert planned == [("claude-code", "restored"), ("mode", "removed")]
    assert done(uninstall(["claude-code"])) == planned
    assert load_settings().mode == "normal"
    install(["codex"], mode="quiet")
    plugins = home / ".claude" / "plugins"
    plugins.mkdir()
    (plugins / "installed_plugins.json").write_text('{"plugins": {"skillret@x": []}}')
    assert done(uninstall(["codex"])) == [("codex", "removed")]
    assert load_settings().mode == "quiet"
    assert [owner for owner, _ in done(uninstall(dry_run=True))] == ["mcp cursor", "mode"]
