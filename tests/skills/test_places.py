"""Where agents keep their skills, as folders on a disk: each test is a layout that people have."""

import json
import os
from pathlib import Path

import pytest
from tests.conftest import write_skill

from skillret import Library
from skillret.errors import InputError
from skillret.retrieval.refresh import Folders, nothing_found, usual_library
from skillret.settings import Settings
from skillret.skills import default_roots, walk
from skillret.skills.agent_settings import disabled
from skillret.skills.agents import AGENTS, find_agent
from skillret.skills.names import invocable_name, invocations
from skillret.skills.places import find_places, other_folders


def library(agent=None):
    """What a search finds in the usual places: of all agents, or of one."""
    wanted = [agent] if agent else []
    return Library(
        default_roots(agents=wanted), agent=agent, hide=[*disabled(agent)] if agent else ()
    )


def names(found):
    return sorted(skill.name for skill in found)


def called(agent):
    """By what names an agent invokes what it finds; None for what it cannot."""
    found = library(agent)
    return {s.description: invocable_name(agent, s, found.roots) for s in found}


def write_json(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data), encoding="utf-8")


def link(place, target):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)


def test_every_place_of_every_agent_is_looked_into(home, project):
    expected = set()
    for agent in AGENTS:
        for scope, place in agent.places:
            if scope not in ("user", "project") or place == "skills":
                continue
            folder = home / place[2:] if scope == "user" else project / place
            name = f"{scope}-{folder.parent.name.strip('.')}-{len(expected)}"
            expected.add(name)
            write_skill(folder, name, f"Of {name}.")
    assert set(names(library())) == expected
    for agent in AGENTS:
        own = [place for place in find_places(agents=[agent.name]) if place.exists]
        assert own, agent.name
        assert all(place.agents == (agent.name,) for place in own)


def test_folders_of_skills_that_no_agent_reads_are_told(home, project):
    write_skill(project / "docs" / "skills", "pdf")
    write_skill(project / ".later" / "skills", "pdf")
    (project / "web" / "skills").mkdir(parents=True)
    assert names(library()) == []
    assert other_folders() == [project / ".later" / "skills", project / "docs" / "skills"]
    with pytest.raises(InputError, match=r"skills lie in .*/docs/skills, which is none of these"):
        Folders().library()


def test_npx_skills_links_from_each_agent_lead_to_one_skill(project):
    """One copy in .agents/skills, relative links from the folders of the other agents."""
    write_skill(project / ".agents" / "skills", "pdf")
    for agent in (".claude", ".cursor", ".roo"):
        link(project / agent / "skills" / "pdf", "../../.agents/skills/pdf")
    link(project / ".claude" / "skills" / "gone", "../../.agents/skills/gone")
    found = library()
    (skill,) = found
    assert skill.path == str(project / ".agents" / "skills" / "pdf" / "SKILL.md")
    assert {Path(path).parts[-4] for path in skill.aliases} == {".claude", ".cursor", ".roo"}
    assert found.counts == (1,) * 4
    (note,) = found.diagnostics
    assert (note.path, note.level) == (str(project / ".claude/skills/gone"), "warning")
    # Each agent has it by the link in its own folder; it is read once however often it is linked.
    for agent in ("claude-code", "cursor", "roo"):
        (own,) = library(agent)
        assert invocable_name(agent, own, default_roots(agents=[agent])) == "pdf"
        (how,) = invocations(agent, [skill], default_roots(agents=[agent]))
        assert how.name == "pdf"
    assert invocations("windsurf", [skill], default_roots(agents=["windsurf"]))[0].name is None


@pytest.mark.parametrize("linked", ["place", "skill", "file"])
def test_links_of_dotfiles_are_followed(home, project, tmp_path, linked):
    """GNU stow links the place, the skill or its one file, and the store may lie anywhere."""
    store = tmp_path / "store" / "claude"
    file = write_skill(store, "tide")
    target = {"place": store, "skill": file.parent, "file": file}[linked]
    place = home / ".claude" / "skills"
    place = {"place": place, "skill": place / "tide", "file": place / "tide" / "SKILL.md"}[linked]
    link(place, os.path.relpath(target, place.parent))
    found = library()
    assert names(found) == ["tide"]
    assert found.diagnostics == []
    file.write_text(file.read_text() + "More.\n")
    assert library().fingerprint != found.fingerprint


def test_a_link_to_a_sibling_project_is_followed_and_one_to_the_system_is_not(
    home, tmp_path, monkeypatch
):
    for name in ("one", "two"):
        (home / "code" / name / ".git").mkdir(parents=True)
    write_skill(home / "code" / "two" / "skills", "shared")
    place = home / "code" / "one" / ".claude" / "skills"
    link(place / "shared", "../../../two/skills/shared")
    link(place / "system", "/etc")
    (place / "passwords").mkdir()
    (place / "passwords" / "SKILL.md").symlink_to("/etc/passwd")
    (place / "key").mkdir()
    (home / "id_rsa").write_text("---\nname: key\ndescription: A key.\n---\nsecret")
    (place / "key" / "SKILL.md").symlink_to(home / "id_rsa")
    outside = write_skill(tmp_path / "elsewhere", "foreign").parent
    link(place / "foreign", outside)
    link(home / "code" / "one" / ".cursor" / "skills", "/etc")
    monkeypatch.chdir(home / "code" / "one")
    found = library()
    assert names(found) == ["shared"]
    said = {os.path.relpath(d.path, place): d.message for d in found.left_out}
    assert set(said) == {"foreign", "key/SKILL.md", "passwords/SKILL.md", "system"}
    assert str(outside) in said["foreign"]
    assert "--library" in said["foreign"]
    (refused,) = [p for p in find_places() if p.problem]
    assert refused.path == home / "code" / "one" / ".cursor" / "skills"
    # The user's own folder may lead to another disk, but not into the system.
    link(home / ".claude" / "skills" / "foreign", outside)
    link(home / ".claude" / "skills" / "system", "/etc")
    assert names(library()) == ["foreign", "shared"]


def test_a_link_to_all_of_a_home_is_looked_into_only_so_far(home, project, monkeypatch):
    for count in range(20):
        (home / f"folder-{count}").mkdir()
    link(project / ".claude" / "skills" / "home", home)
    monkeypatch.setattr(walk, "MAX_LINKED", 10)
    (note,) = library().left_out
    assert "more than 10 folders" in note.message


def test_a_worktree_has_the_places_of_its_main_checkout_where_it_lacks_them(tmp_path, monkeypatch):
    main, tree = tmp_path / "main", tmp_path / "trees" / "feature"
    write_skill(main / ".claude" / "skills", "untracked")
    write_skill(main / "apps" / ".claude" / "skills", "of-apps")
    write_skill(main / ".cursor" / "skills", "old", "Old.")
    write_skill(tree / ".cursor" / "skills", "new", "New.")
    (main / ".git" / "worktrees" / "feature").mkdir(parents=True)
    (main / ".git" / "worktrees" / "feature" / "commondir").write_text("../..\n")
    (tree / "apps").mkdir()
    (tree / ".git").write_text(f"gitdir: {main}/.git/worktrees/feature\n")
    monkeypatch.chdir(tree / "apps")
    assert names(library()) == ["new", "of-apps", "untracked"]
    # A submodule has a file `.git` too, and no main checkout.
    (main / ".git" / "modules" / "sub").mkdir(parents=True)
    (tree / ".git").write_text(f"gitdir: {main}/.git/modules/sub\n")
    assert names(library()) == ["new"]


def test_parents_count_for_those_agents_that_look_there(project, monkeypatch):
    write_skill(project / ".agents" / "skills", "deploy", "Of the repository.")
    write_skill(project / "apps" / "web" / ".agents" / "skills", "deploy", "Of the app.")
    write_skill(project / ".claude" / "skills", "top")
    monkeypatch.chdir(project / "apps" / "web")
    assert [s.description for s in library()] == ["Of the app.", "Of the repository.", "A skill."]
    assert called("codex") == {"Of the app.": "deploy", "Of the repository.": "deploy"}
    assert called("gemini-cli") == {"Of the app.": "deploy"}
    assert called("claude-code") == {"A skill.": "top"}


def test_who_wins_depends_on_the_agent(home, project):
    for name in (".claude", ".codex", ".cline", ".agents"):
        write_skill(home / name / "skills", "deploy", f"Of the home, {name}.")
        write_skill(project / name / "skills", "deploy", f"Of the project, {name}.")

    def winners(agent):
        found = library(agent)
        return [s.description for s in found if s.shadowed_by is None], len(found)

    assert winners("claude-code") == (["Of the home, .claude."], 2)
    assert winners("copilot") == (["Of the project, .claude."], 3)
    assert winners("cline") == (["Of the home, .cline."], 5)
    assert len(winners("codex")[0]) == 4  # both are shown
    found = library("claude-code")
    (loser,) = [s for s in found if s.shadowed_by]
    assert loser.shadowed_by == str(home / ".claude" / "skills" / "deploy" / "SKILL.md")
    assert invocable_name("claude-code", loser, found.roots) is None


def test_a_folder_s_name_invokes_and_what_an_agent_does_not_load_is_named(home, project):
    place = project / ".claude" / "skills"
    write_skill(place, "forms", "Named otherwise.").parent.rename(place / "pdf-forms")
    write_skill(place / "group", "deep", "Too deep.")
    found = library("claude-code")
    assert called("claude-code") == {"Named otherwise.": "pdf-forms"}
    assert called("opencode") == {"Named otherwise.": "forms", "Too deep.": "deep"}
    (note,) = found.left_out
    assert "looks 1 deep" in note.message
    assert called("cline") == {}
    assert any("'forms'" in note.message for note in library("cline").left_out)


@pytest.fixture
def plugin(home):
    """Install a plugin of Claude Code; gives its folder."""

    def install(name, version="1.0.0", *, enabled=True, record=True, **entry):
        folder = home / ".claude" / "plugins" / "cache" / "market" / name / version
        write_json(folder / ".claude-plugin" / "plugin.json", {"name": name})
        file = home / ".claude" / "plugins" / "installed_plugins.json"
        data = json.loads(file.read_text()) if file.exists() else {"version": 2, "plugins": {}}
        if record:
            entry = {"scope": "user", "installPath": str(folder), "version": version, **entry}
            data["plugins"].setdefault(f"{name}@market", []).append(entry)
            write_json(file, data)
        if enabled is not None:
            settings = home / ".claude" / "settings.json"
            known = json.loads(settings.read_text()) if settings.exists() else {}
            known.setdefault("enabledPlugins", {})[f"{name}@market"] = enabled
            write_json(settings, known)
        return folder

    return install


def test_of_a_plugin_the_installed_version_counts_and_its_name_stands_before(project, plugin):
    write_skill(plugin("office", "1.0.0") / "skills", "pdf", "Installed.")
    write_skill(plugin("office", "2.0.0", record=False) / "skills", "pdf", "Newer, not installed.")
    write_skill(plugin("off", enabled=False) / "skills", "off", "Disabled.")
    write_skill(
        plugin("other", projectPath="/elsewhere") / "skills", "other", "Of another project."
    )
    write_skill(project / ".claude" / "skills", "pdf", "Of the project.")
    assert called("claude-code") == {"Installed.": "office:pdf", "Of the project.": "pdf"}
    found = library()
    assert {s.description for s in found} == {"Installed.", "Of the project."}
    assert [s.shadowed_by for s in found] == [None, None]
    assert [p.problem for p in find_places() if p.problem] == [
        "the plugin off@market is disabled in Claude Code"
    ]


def test_settings_nearer_to_the_project_turn_plugins_on_and_off(project, plugin, home):
    write_skill(plugin("a", enabled=True) / "skills", "a")
    write_skill(plugin("b", enabled=False) / "skills", "b")
    write_skill(plugin("c", enabled=None) / "skills", "c")  # enabled unless it says otherwise
    quiet = plugin("d", enabled=None)
    write_skill(quiet / "skills", "d")
    write_json(quiet / ".claude-plugin" / "plugin.json", {"name": "d", "defaultEnabled": False})
    assert names(library("claude-code")) == ["a", "c"]
    choice = {"a@market": False, "b@market": True}
    write_json(project / ".claude" / "settings.json", {"enabledPlugins": choice})
    assert names(library("claude-code")) == ["b", "c"]
    write_json(project / ".claude" / "settings.local.json", {"enabledPlugins": {"a@market": True}})
    assert names(library("claude-code")) == ["a", "b", "c"]


def test_a_plugin_s_manifest_and_its_marketplace_say_where_its_skills_are(project, plugin, home):
    more = plugin("more")
    write_skill(more / "skills", "usual")
    write_skill(more / "extra", "added")
    write_skill(more.parents[2] / "outside", "outside")
    manifest = {"name": "more", "skills": ["./extra", "../../../outside"]}
    write_json(more / ".claude-plugin" / "plugin.json", manifest)
    (plugin("single") / "SKILL.md").write_text("---\nname: single\ndescription: One.\n---\nDo it.")
    bundle = plugin("bundle")
    write_skill(bundle / "skills", "chosen")
    write_skill(bundle / "skills", "not-chosen")
    entry = {"name": "bundle", "source": "./", "skills": ["./skills/chosen"]}
    market = home / ".claude" / "plugins" / "marketplaces" / "market" / ".claude-plugin"
    write_json(market / "marketplace.json", {"plugins": [entry]})
    found = library("claude-code")
    assert names(found) == ["added", "chosen", "single", "usual"]
    assert {invocable_name("claude-code", s, found.roots) for s in found} == {
        "bundle:chosen",
        "more:added",
        "more:usual",
        "single:single",
    }
    assert [p.problem for p in find_places() if p.problem] == [
        "the plugin more names a folder outside of itself"
    ]


@pytest.mark.parametrize(
    "record", ["{", "[]", '{"plugins": []}', '{"plugins": {"a@b": 3, "": {}}}']
)
def test_a_damaged_record_of_plugins_loses_nothing_else(project, home, record):
    write_skill(home / ".claude" / "skills", "mine")
    file = home / ".claude" / "plugins" / "installed_plugins.json"
    file.parent.mkdir()
    file.write_text(record)
    (home / ".claude" / "settings.json").write_text(record)
    assert names(library()) == ["mine"]


def test_in_a_cache_that_is_given_one_version_of_each_plugin_counts(home, plugin):
    for version in ("1.9.0", "1.10.0", "1.10.0-rc.1"):
        write_skill(plugin("new", version, record=False) / "skills", "s", f"Version {version}.")
    write_skill(plugin("pinned", "1.0.0") / "skills", "p", "Installed.")
    write_skill(plugin("pinned", "2.0.0", record=False) / "skills", "p", "Newest.")
    found = Library.open(home / ".claude" / "plugins" / "cache")
    assert [s.description for s in found] == ["Version 1.10.0.", "Installed."]
    assert sum("another version" in d.message for d in found.left_out) == 3


def test_variables_move_an_agent_s_folders(home, project, tmp_path, monkeypatch):
    write_skill(home / ".claude" / "skills", "old-claude")
    write_skill(home / ".codex" / "skills", "old-codex")
    write_skill(tmp_path / "claude" / "skills", "new-claude")
    write_skill(tmp_path / "codex" / "skills" / ".system", "new-codex")
    write_skill(tmp_path / "config" / "agents" / "skills", "new-amp")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert names(library("claude-code")) == ["new-claude"]
    assert names(library("codex")) == ["new-codex"]
    assert names(library("amp")) == ["new-amp"]
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "")
    assert names(library("claude-code")) == ["old-claude"]


def test_removed_and_hidden_skills_are_passed_over_and_named(home, project):
    place = home / ".claude" / "skills"
    write_skill(place, "kept")
    write_skill(place / ".trash", "removed")
    (place / ".cache" / "nothing").mkdir(parents=True)
    found = library()
    assert names(found) == ["kept"]
    (note,) = found.left_out
    assert (note.path, "1 skill in it" in note.message) == (str(place / ".trash"), True)


def test_a_given_project_is_searched_with_the_places_in_it(tmp_path):
    project = tmp_path / "project"
    write_skill(project / ".claude" / "skills", "a")
    write_skill(project / "apps" / "web" / ".agents" / "skills", "b")
    link(project / ".cursor" / "skills", "../.agents-store")
    write_skill(project / ".agents-store", "c")
    write_skill(project / ".claude" / "plugins" / "cache", "no")
    assert names(Library.open(project)) == ["a", "b", "c"]


def test_skills_of_an_account_have_a_name_of_their_own(home, project):
    place = home / ".claude" / "skills"
    write_skill(place, "pdf", "Mine.")
    write_skill(place / "synced" / "someone", "pdf", "Synced.")
    write_skill(place, "anthropic-skills-x", "Reserved.")
    assert called("claude-code") == {"Mine.": "pdf", "Synced.": "anthropic-skills:pdf"}


def test_codex_s_plugins_and_settings(home, project):
    for version in ("0.9.0", "0.10.0"):
        folder = home / ".codex" / "plugins" / "cache" / "m" / "tools" / version
        write_json(folder / ".codex-plugin" / "plugin.json", {"name": "tools"})
        write_skill(folder / "skills", "hammer", f"Version {version}.")
    write_skill(home / ".codex" / "plugins" / "cache" / "m" / "quiet" / "1" / "skills", "quiet")
    write_skill(home / ".agents" / "skills", "by-name")
    by_path = write_skill(home / ".agents" / "skills", "by-path")
    write_skill(home / ".agents" / "skills", "kept", "Kept.")
    (home / ".codex" / "config.toml").write_text(
        '[plugins."tools@m"]\n[plugins."quiet@m"]\nenabled = false\n'
        '[[skills.config]]\nname = "by-name"\nenabled = false\n'
        f'[[skills.config]]\npath = "{by_path}"\nenabled = false\n'
    )
    assert called("codex") == {"Kept.": "kept", "Version 0.10.0.": "tools:hammer"}
    (home / ".codex" / "config.toml").write_text("plugins skills [")
    assert len(library("codex")) == 3


def test_paths_in_codex_s_settings_start_at_home_or_beside_them(home, project):
    for folder in (".agents", ".codex"):
        write_skill(home / folder / "skills", f"off-{folder[1:]}")
    write_skill(home / ".agents" / "skills", "kept")
    target = write_skill(home / "dotfiles", "linked").parent
    link(home / ".agents" / "skills" / "linked", target)
    (home / ".codex" / "config.toml").write_text(
        "".join(
            f'[[skills.config]]\npath = "{path}"\nenabled = false\n'
            for path in (
                "~/.agents/skills/off-agents/SKILL.md",
                "skills/off-codex/SKILL.md",
                "~/.agents/skills/linked/SKILL.md",
                "",
            )
        )
    )
    assert names(library("codex")) == ["kept"]


def test_gemini_s_extensions_and_settings(home, project):
    extension = home / ".gemini" / "extensions" / "e"
    write_json(extension / "gemini-extension.json", {"name": "e"})
    write_skill(extension / "skills", "brought", "Brought.")
    write_skill(project / ".gemini" / "skills", "both", "Of .gemini.")
    write_skill(project / ".agents" / "skills", "both", "Of .agents.")
    write_skill(project / ".agents" / "skills", "off")
    write_json(home / ".gemini" / "settings.json", {"skills": {"disabled": ["off"]}})
    assert called("gemini-cli") == {
        "Brought.": "brought",
        "Of .agents.": "both",
        "Of .gemini.": None,
    }


def test_gemini_s_settings_may_hold_comments(home, project):
    for name in ("off", "off-here", "kept"):
        write_skill(home / ".gemini" / "skills", name)
    (home / ".gemini" / "settings.json").write_text(
        '// mine\n{\n  /* "https://" */ "url": "https://example.org/*", // "x"\n'
        '  "skills": {"disabled": ["off" /* for now */]}\n}\n// the end'
    )
    (project / ".gemini").mkdir()
    (project / ".gemini" / "settings.json").write_text('{"skills": {"disabled": ["off-here"]}} /*')
    assert names(library("gemini-cli")) == ["kept"]


def test_hidden_names_are_left_out_and_told(home, project):
    for name in ("subtitles", "draft-one", "kept"):
        write_skill(home / ".agents" / "skills", name)
    roots = default_roots()
    found = Library(roots, hide=["subtitles", "draft-*"])
    assert names(found) == ["kept"]
    assert len(found.left_out) == 2
    assert found.fingerprint != Library(roots).fingerprint


def test_what_turns_a_skill_off_is_named(home, project):
    for name in ("off", "off-here", "off-both", "kept"):
        write_skill(home / ".gemini" / "skills", name)
    of_user, of_project = (f / ".gemini" / "settings.json" for f in (home, project))
    write_json(of_user, {"skills": {"disabled": ["off", "off-both"]}})
    write_json(of_project, {"skills": {"disabled": ["off-here"]}})
    found, _ = usual_library(Settings(hide=("off-b*",)), ["gemini-cli"])
    assert {Path(d.path).parent.name: d.message for d in found.left_out} == {
        "off": f"left out: disabled in {of_user}",
        "off-here": f"left out: disabled in {of_project}",
        "off-both": f"left out: your settings hide it, and it is disabled in {of_user}",
    }
    assert set(found.hidden_by) == {"`hide` of the settings", str(of_user), str(of_project)}
    (home / ".gemini" / "skills" / "kept" / "SKILL.md").unlink()
    found, _ = usual_library(Settings(), ["gemini-cli"])
    found.skills  # noqa: B018
    assert f"{of_user} and {of_project} leave out 3 skills" in nothing_found(found)


def test_codex_s_file_is_named(home, project):
    write_skill(home / ".agents" / "skills", "off")
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text('[[skills.config]]\nname = "off"\nenabled = false\n')
    found, _ = usual_library(Settings(), ["codex"])
    (note,) = found.left_out
    assert note.message == f"left out: disabled in {config}"
    assert f"{config} leaves out 1 skill" in nothing_found(found)


def test_one_name_in_two_folders_is_two_skills_to_who_invokes_by_folder(home, project):
    for folder in ("deploy-prod", "deploy-staging"):
        path = project / ".claude" / "skills" / folder / "SKILL.md"
        path.parent.mkdir(parents=True)
        path.write_text("---\nname: deploy\ndescription: Deploys.\n---\nDo it.\n")
    found = library("claude-code")
    hows = invocations("claude-code", found.skills, found.roots)
    assert {how.name for how in hows} == {"deploy-prod", "deploy-staging"}
    assert len(library(None)) == 2


def test_the_name_of_an_agent_is_read_leniently():
    assert find_agent("Claude Code").name == find_agent("claude").name == "claude-code"
    with pytest.raises(InputError, match=r"unknown agent 'cursr'; did you mean cursor\?"):
        find_agent("cursr")
    with pytest.raises(InputError, match=r"unknown agent '%%%'; `skillret places --help` lists"):
        default_roots(agents=["%%%"])
