"""Plugins that lie among the skills of Claude Code, and those of one text."""

import json

import pytest
from tests.conftest import write_skill

from skillret import Library
from skillret.skills import default_roots
from skillret.skills.names import invocable_name
from skillret.skills.places import find_places


def called(agent="claude-code"):
    found = Library(default_roots(agents=[agent] if agent else []), agent=agent)
    return sorted(filter(None, (invocable_name("claude-code", s, found.roots) for s in found)))


def plugin(place, name, *skills):
    for skill in skills:
        write_skill(place / name / "skills", skill, "Does it.", "The same.")
    manifest = place / name / ".claude-plugin" / "plugin.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"name": name}))


@pytest.mark.parametrize("agent", ["claude-code", None])
def test_a_plugin_among_the_skills_needs_no_install(home, tmp_path, monkeypatch, agent):
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    place = home / ".claude" / "skills"
    plugin(place, "sea", "tide", "deploy")
    plugin(project / ".claude" / "skills", "river", "deploy")
    write_skill(place, "bread")
    assert called(agent) == ["bread", "river:deploy", "sea:deploy", "sea:tide"]


def test_one_that_is_turned_off_is_left_out(home):
    place = home / ".claude" / "skills"
    plugin(place, "sea", "tide")
    (home / ".claude" / "settings.json").write_text('{"enabledPlugins": {"sea@skills-dir": false}}')
    assert called() == []
    problems = [p.problem for p in find_places(agents=["claude-code"]) if p.problem]
    assert problems == ["the plugin sea@skills-dir is disabled in Claude Code"]


def test_a_skill_that_has_a_manifest_beside_it_is_a_skill(home):
    place = home / ".claude" / "skills"
    plugin(place, "sea")
    write_skill(place, "sea")
    assert called() == ["sea"]


def test_two_plugins_with_a_skill_of_one_text_have_two(home):
    records = {}
    for name in ("sea", "river"):
        folder = home / ".claude" / "plugins" / "cache" / "m" / name / "1.0"
        write_skill(folder / "skills", "deploy", "Deploys.", "The same.")
        records[f"{name}@m"] = [{"scope": "user", "installPath": str(folder), "version": "1.0"}]
    file = home / ".claude" / "plugins" / "installed_plugins.json"
    file.write_text(json.dumps({"version": 2, "plugins": records}))
    assert called() == ["river:deploy", "sea:deploy"]


def test_codex_turns_its_own_skills_off(home, project):
    write_skill(home / ".codex" / "skills" / ".system", "tide-table", "Reads tides.")
    config = home / ".codex" / "config.toml"
    for text, problem in (
        ("[skills.bundled]\nenabled = true\n", None),
        ("[skills.bundled]\nenabled = false\n", "disabled in Codex's config.toml"),
    ):
        config.write_text(text)
        (place,) = (p for p in find_places(agents=["codex"]) if p.scope == "bundled")
        assert place.problem == problem


@pytest.mark.parametrize(
    ("overrides", "off"),
    [
        (None, False),
        ("!/*", False),
        (["!/*"], True),
        (["!/*", "/"], False),
        (["!{project}/*"], True),
        (["{project}/*", "!/elsewhere/*"], False),
        (["!/*", "{project}/*"], False),
        ([None, 3], False),
    ],
)
def test_gemini_turns_extensions_off_by_folder(home, project, overrides, off):
    folder = home / ".gemini" / "extensions"
    write_skill(folder / "sea" / "skills", "tide-table", "Reads tides.")
    (folder / "sea" / "gemini-extension.json").write_text("{}")
    if isinstance(overrides, list):
        overrides = [o.replace("{project}", str(project)) if o and o != 3 else o for o in overrides]
    rules = {"sea": {"overrides": overrides}}
    (folder / "extension-enablement.json").write_text(json.dumps(rules))
    (place,) = (p for p in find_places(agents=["gemini-cli"]) if p.scope == "extension")
    assert bool(place.problem) == off


def test_goose_has_plugins(home, project):
    write_skill(home / ".agents" / "plugins" / "sea" / "skills", "tide-table", "Reads tides.")
    places = find_places(agents=["goose"])
    assert [(p.path.parent.name, p.scope) for p in places] == [("sea", "extension")]
