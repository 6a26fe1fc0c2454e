"""Folders that agents' own settings name, in the files people have."""

import json
import os

import pytest
from tests.conftest import write_skill

from skillret.retrieval.refresh import usual_library
from skillret.settings import Settings
from skillret.skills.named_places import NAMING
from skillret.skills.places import find_places


@pytest.fixture
def vscode(home):
    """The folder of a user's settings of VS Code."""
    (mine, *_) = NAMING["copilot"].files
    return (home / mine.removeprefix("~/")).parent


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def names(*agents):
    library, _ = usual_library(Settings(), agents)
    return {skill.name for skill in library}


def problems():
    return {place.path: place.problem for place in find_places() if place.problem}


def test_opencode_names_folders_that_win(home, project):
    write_skill(home / "team", "deploy", "The team's.")
    write_skill(project / ".opencode" / "skills", "deploy", "The project's.")
    write_skill(project / "extra", "audit", "Audits.")
    config = home / ".config" / "opencode" / "opencode.jsonc"
    write(config, '{"skills": {"paths": ["~/team", "extra"]}} // mine')
    library, places = usual_library(Settings(), ["opencode"])
    first = {skill.name: skill.description for skill in library if skill.shadowed_by is None}
    assert first == {"deploy": "The team's.", "audit": "Audits."}
    named = [place for place in places if place.scope == "named"]
    assert [place.path for place in named] == [home / "team", project / "extra"]
    assert {place.agents for place in named} == {("opencode",)}
    assert names() == {"deploy", "audit"}  # without --agent too
    assert names("cursor") == set()
    write(project / "opencode.json", {"skills": {"paths": ["./extra"]}})  # the list as a whole
    assert names("opencode") == {"deploy", "audit"}
    assert home / "team" not in [place.path for place in find_places(agents=["opencode"])]


def test_settings_of_a_folder_above_count(project, monkeypatch):
    write_skill(project / "extra", "audit", "Audits.")
    write(project / ".opencode" / "opencode.json", {"skills": {"paths": ["extra"]}})
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    assert names("opencode") == {"audit"}


def test_vs_code_names_folders_and_takes_them_back(home, project, vscode):
    for folder in (home / "mine", project / "ours", project / "theirs"):
        write_skill(folder, folder.name, "Does something.")
    key = "chat.agentSkillsLocations"
    write(vscode / "settings.json", {key: {"~/mine": True, "theirs": True, "nowhere": True}})
    write(project / ".vscode" / "settings.json", {key: {"ours": True, "theirs": False}})
    assert names("copilot") == {"mine", "ours"}
    assert problems() == {}  # a default that is not there is nothing odd


@pytest.mark.parametrize(
    "text",
    [
        '{"skills": {"load": {"extraDirs": ["~/extra"]}}}',
        '{\n  // JSON5\n  skills: {\n    load: {\n      extraDirs: ["~/extra",],\n    },\n  },\n}',
    ],
)
def test_openclaw_names_folders_that_come_last(home, project, text):
    write_skill(home / "extra", "audit", "The extra one.")
    write_skill(home / ".openclaw" / "skills", "audit", "Its own.")
    write(home / ".openclaw" / "openclaw.json", text)
    library, _ = usual_library(Settings(), ["openclaw"])
    assert {s.description for s in library if s.shadowed_by is None} == {"Its own."}
    assert {s.description for s in library if s.shadowed_by} == {"The extra one."}


def test_hermes_names_folders_by_variables(home, project, monkeypatch):
    write_skill(home / "deep" / "team", "audit", "Audits.")
    monkeypatch.setenv("TEAM", str(home / "deep" / "team"))
    write(home / ".hermes" / "config.yaml", "skills:\n  external_dirs:\n    - ${TEAM}\n")
    assert names("hermes") == {"audit"}


def test_a_project_may_name_nothing_outside_of_itself(home, project, tmp_path):
    outside = tmp_path / "outside"
    write_skill(outside, "alien", "Of somebody else.")
    write_skill(home / "mine", "mine", "The user's.")
    write_skill(project / "ours", "ours", "The project's.")
    named = [str(outside), "../outside", "~/mine", "ours"]
    write(project / "opencode.json", {"skills": {"paths": named}})
    assert names() == {"ours"}
    reason = "outside of the project that names it; name it in your own settings"
    assert problems() == {outside: reason, home / "mine": reason}
    write(home / ".config" / "opencode" / "opencode.json", {"skills": {"paths": [str(outside)]}})
    (project / "opencode.json").unlink()
    assert names() == {"alien"}  # whoever owns the settings may


def test_a_project_hides_nothing_that_its_user_names(home, project):
    write_skill(home / "mine", "mine", "The user's.")
    write(home / ".config" / "opencode" / "opencode.json", {"skills": {"paths": ["~/mine"]}})
    for file, text in (
        (".vscode/settings.json", {"chat.agentSkillsLocations": {"~/mine": True}}),
        ("opencode.json", {"skills": {"paths": ["~/mine"]}}),
    ):
        write(project / file, text)
        assert names() == {"mine"}
        assert problems() == {}


@pytest.mark.parametrize("path", ["~", "~/", "/", "~/.."])
def test_nobody_means_all_of_the_home_directory(home, project, path):
    write_skill(home / "Downloads" / "x", "alien", "Of a stranger.")
    for file in (project / "opencode.json", home / ".config" / "opencode" / "opencode.json"):
        write(file, {"skills": {"paths": [path]}})
        assert names() == set()
        (problem,) = problems().values()
        assert problem == "all of the home directory; name a folder of skills"
        file.unlink()


def test_openclaw_turns_skills_off(home, project):
    for name in ("audit", "deploy"):
        write_skill(home / ".openclaw" / "workspace" / "skills", name, "Does something.")
    write(home / ".openclaw" / "openclaw.json", "{skills: {entries: {audit: {enabled: false}}}}")
    assert names("openclaw") == {"deploy"}
    assert names() == {"audit", "deploy"}


def test_a_variable_of_a_project_is_no_variable(home, project, monkeypatch):
    monkeypatch.setenv("SECRET", "token")
    write(project / "opencode.json", {"skills": {"paths": ["$SECRET"]}})
    found = find_places(agents=["opencode"], missing=True)
    assert project / "$SECRET" in [place.path for place in found]


@pytest.mark.parametrize(
    "value",
    [None, 1, "extra", [], {}, [1, None, "", " ", "a\0b"], {"extra": "yes"}, {"paths": ["extra"]}],
)
def test_odd_lists_name_nothing(project, value):
    write_skill(project / "extra", "audit", "Audits.")
    write(project / "opencode.json", {"skills": {"paths": value}})
    assert names("opencode") == set()


@pytest.mark.parametrize(
    "text", ["", "paths", "[" * 100_000 + '"paths"', '{"skills": ["paths"]}', '{"paths": \ud83d}']
)
def test_broken_settings_name_nothing(project, text):
    file = project / "opencode.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert names("opencode") == set()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_settings_that_are_no_file_are_not_waited_for(project):
    os.mkfifo(project / "opencode.json")
    assert names("opencode") == set()
