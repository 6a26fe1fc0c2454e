"""What Claude Code's `skillOverrides` turn off, in the settings that people have."""

import json
from pathlib import Path

import pytest
from tests.conftest import write_skill

from skillret import Retriever
from skillret.index.sources import Sources, default_index_path
from skillret.index.store import IndexInfo
from skillret.retrieval.refresh import Folders, usual_library
from skillret.settings import Settings
from skillret.skills.agent_settings import claude_settings
from skillret.skills.plugins import claude_settings as merged


def write_settings(file, overrides, **others):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"skillOverrides": overrides, **others}), encoding="utf-8")


def found(*agents):
    """The names of the skills in the usual places, and whether only the user may start them."""
    library, _ = usual_library(Settings(), agents)
    return {skill.name: skill.user_only for skill in library}


def test_a_skill_that_is_off_is_left_out_and_named(project, home):
    for name in ("off", "mine", "listed", "kept"):
        write_skill(home / ".claude" / "skills", name)
    said = {"off": "off", "mine": "user-invocable-only", "listed": "name-only", "kept": "on"}
    write_settings(home / ".claude" / "settings.json", said)
    expected = {"mine": True, "listed": False, "kept": False}
    assert found("claude-code") == expected
    assert found() == expected
    assert found("claude-code", "codex") == expected
    assert found("cursor") == {"off": False, "mine": False, "listed": False, "kept": False}
    library, _ = usual_library(Settings(), ["claude-code"])
    assert (len(library), library.hidden) == (3, 1)
    assert [(Path(d.path).parent.name, d.message) for d in library.left_out] == [
        ("off", f"left out: `skillOverrides` of {home / '.claude' / 'settings.json'} turn it off")
    ]


def test_settings_nearer_to_the_project_count_more(project, home):
    for name in ("a", "b", "c"):
        write_skill(home / ".claude" / "skills", name)
    write_settings(home / ".claude" / "settings.json", {"a": "off", "b": "off"})
    assert set(found("claude-code")) == {"c"}
    write_settings(project / ".claude" / "settings.json", {"a": "on", "c": "off"})
    assert set(found("claude-code")) == {"a"}
    write_settings(project / ".claude" / "settings.local.json", {"b": "user-invocable-only"})
    assert found("claude-code") == {"a": False, "b": True}
    files = [home / ".claude" / "settings.json", project / "managed-settings.json"]
    write_settings(files[1], {"a": "name-only"})
    assert merged(files)["skillOverrides"] == {"a": "name-only", "b": "off"}


def test_settings_of_the_home_directory_s_own_sessions_count_there_alone(
    project, home, monkeypatch
):
    write_skill(home / ".claude" / "skills", "a")
    write_settings(home / ".claude" / "settings.local.json", {"a": "off"})
    assert set(found("claude-code")) == {"a"}
    monkeypatch.chdir(home)
    assert found("claude-code") == {}
    assert claude_settings(project, home) == {}


def test_a_skill_goes_by_its_name_or_by_that_of_its_folder(project, home):
    write_skill(home / ".claude" / "skills", "named")
    path = home / ".claude" / "skills" / "by-folder" / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text("---\nname: by-name\ndescription: Does it.\n---\n", encoding="utf-8")
    for key in ("by-folder", "by-name"):
        write_settings(home / ".claude" / "settings.json", {key: "off"})
        assert set(found("claude-code")) == {"named"}


def test_plugins_and_folders_of_other_agents_are_not_concerned(project, home):
    folder = home / ".claude" / "plugins" / "cache" / "market" / "office" / "1.0.0"
    write_skill(folder / "skills", "shared", "Of the plugin.")
    record = {"plugins": {"office@market": [{"scope": "user", "installPath": str(folder)}]}}
    file = home / ".claude" / "plugins" / "installed_plugins.json"
    file.write_text(json.dumps(record), encoding="utf-8")
    target = write_skill(home / ".agents" / "skills", "linked").parent
    write_skill(home / ".agents" / "skills", "shared", "Of all agents.")
    (home / ".claude" / "skills").mkdir()
    (home / ".claude" / "skills" / "linked").symlink_to(target, target_is_directory=True)
    enabled = {"office@market": True}
    overrides = {"linked": "off", "shared": "off"}
    write_settings(home / ".claude" / "settings.json", overrides, enabledPlugins=enabled)
    library, _ = usual_library(Settings(), ["claude-code"])
    assert [skill.description for skill in library] == ["Of the plugin."]
    everyone, _ = usual_library(Settings())
    assert {skill.name for skill in everyone} == {"linked", "shared"}
    assert len(everyone) == 3


def test_a_folder_that_all_agents_share_by_a_link_is_not_concerned(project, home):
    write_skill(home / ".agents" / "skills", "shared")
    (home / ".claude").mkdir()
    (home / ".claude" / "skills").symlink_to(home / ".agents" / "skills", target_is_directory=True)
    write_settings(home / ".claude" / "settings.json", {"shared": "off"})
    assert found("claude-code") == {}
    assert set(found()) == {"shared"}


@pytest.mark.parametrize(
    "text", ["[]", '{"skillOverrides": ["a"]}', '{"skillOverrides": {"a": 1}}']
)
def test_settings_that_say_nothing_of_skills_leave_all(project, home, text):
    write_skill(home / ".claude" / "skills", "a")
    (home / ".claude" / "settings.json").write_text(text, encoding="utf-8")
    library, _ = usual_library(Settings(), ["claude-code"])
    assert len(library) == 1
    assert "overrides" not in Sources.of(library).to_json()


def test_an_index_follows_the_settings(project, home, encoder):
    write_skill(home / ".claude" / "skills", "alpha", "Fill alpha forms.")
    write_skill(home / ".claude" / "skills", "beta", "Fill beta forms.")

    def searched():
        with Retriever.open(agent="claude-code", model=encoder) as r:
            return {hit.name: hit.user_only for hit in r.search("fill forms")}

    assert searched() == {"alpha": False, "beta": False}
    plain = Folders.of([], agents=["claude-code"]).library()
    said = {"alpha": "off", "beta": "user-invocable-only"}
    write_settings(project / ".claude" / "settings.local.json", said)
    assert searched() == {"beta": True}
    library = Folders.of([], agents=["claude-code"]).library()
    assert library.fingerprint != plain.fingerprint
    assert default_index_path(library, "m") != default_index_path(plain, "m")
    sources = Sources.of(library)
    stored = json.loads(sources.to_json())
    again = Sources.from_info(IndexInfo(1, None, stored, "", 1, 0))
    assert again == sources
    assert again.library().fingerprint == library.fingerprint
