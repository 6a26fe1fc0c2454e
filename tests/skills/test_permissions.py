"""What the permission rules of Claude Code and OpenCode say of skills, in the files people have."""

import json
from pathlib import Path

import pytest
from tests.conftest import write_skill

from skillret import Retriever
from skillret.index.sources import Sources, default_index_path
from skillret.index.store import IndexInfo
from skillret.retrieval.refresh import Folders, nothing_found, usual_library
from skillret.settings import Settings
from skillret.skills import agent_settings, permissions
from skillret.skills.permissions import Permissions, Rule, claude_rules, opencode_rules


@pytest.fixture
def config(home):
    """OpenCode's own folder."""
    return home / ".config" / "opencode"


def write_json(file, data):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data), encoding="utf-8")


def deny(file, *rules, **others):
    write_json(file, {"permissions": {"deny": rules}, **others})


def found(*agents):
    """The names of the skills in the usual places, and whether only the user may start them."""
    library, _ = usual_library(Settings(), agents)
    return {skill.name: skill.user_only for skill in library}


def left_to_user(*agents):
    return {name for name, user_only in found(*agents).items() if user_only}


def make_plugin(home, name, *skills):
    """A plugin of Claude Code, as it records one; the settings that turn it on."""
    folder = home / ".claude" / "plugins" / "cache" / "market" / name / "1.0.0"
    for skill in skills:
        write_skill(folder / "skills", skill, f"Of the plugin {name}.")
    file = home / ".claude" / "plugins" / "installed_plugins.json"
    record = json.loads(file.read_text()) if file.exists() else {"plugins": {}}
    record["plugins"][f"{name}@market"] = [{"scope": "user", "installPath": str(folder)}]
    write_json(file, record)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("Skill(deploy)", {"deploy"}),
        ("Skill(/deploy)", {"deploy"}),
        ("Skill(deploy *)", {"deploy", "deploy-prod"}),
        ("Skill(deploy:*)", {"deploy", "deploy-prod"}),
        ("Skill(skill:deploy)", {"deploy"}),
        ("Skill(skill : *-prod)", {"deploy-prod"}),
        ("Skill", {"deploy", "deploy-prod", "notes"}),
        ("Skill(*)", {"deploy", "deploy-prod", "notes"}),
        ("Skill()", {"deploy", "deploy-prod", "notes"}),
        ("Sk*", {"deploy", "deploy-prod", "notes"}),
        ("*", {"deploy", "deploy-prod", "notes"}),
        ("Skill(dep*)", set()),
        ("Skill(d?ploy)", set()),
        ("Skill(Deploy)", set()),
        ("Skill(args:deploy)", set()),
        ("Skills", set()),
        ("S?ill", set()),
        ("mcp__*", set()),
        ("Bash(deploy *)", set()),
        ("Skill(deploy", set()),
    ],
)
def test_claude_code_s_rules_leave_skills_to_the_user(project, home, rule, expected):
    for name in ("deploy", "deploy-prod", "notes"):
        write_skill(home / ".claude" / "skills", name)
    deny(home / ".claude" / "settings.json", rule)
    assert left_to_user("claude-code") == expected
    assert left_to_user() == expected
    assert len(found("claude-code")) == 3


def test_the_rules_of_all_files_add_up(project, home):
    for name in ("a", "b", "c", "d"):
        write_skill(home / ".claude" / "skills", name)
    deny(home / ".claude" / "settings.json", "Skill(a)")
    deny(project / ".claude" / "settings.json", "Bash(rm *)", "Skill(b)")
    local = project / ".claude" / "settings.local.json"
    write_json(local, {"permissions": {"deny": ["Skill(c)"], "allow": ["Skill(a)", "Skill"]}})
    assert left_to_user("claude-code") == {"a", "b", "c"}
    library, _ = usual_library(Settings(), ["claude-code"])
    assert {Path(d.path).parent.name: d.message for d in library.left_to_user}["c"] == (
        f"`permissions.deny` of {local} keeps Claude Code from starting it"
    )
    assert library.left_out == []


def test_an_organisation_may_count_alone(tmp_path):
    own, managed = tmp_path / "settings.json", tmp_path / "managed-settings.json"
    deny(own, "Skill(a)", "Skill(c)")
    deny(managed, "Skill(b)", "Skill(a)")
    assert claude_rules([own, managed]) == (
        Rule("a", True, str(own)),
        Rule("b", True, str(managed)),
        Rule("c", True, str(own)),
    )
    deny(managed, "Skill(b)", allowManagedPermissionRulesOnly=True)
    assert [rule.pattern for rule in claude_rules([own, managed])] == ["b"]


def test_the_whole_tool_is_one_line(project, home):
    for name in ("a", "b"):
        write_skill(home / ".claude" / "skills", name)
    deny(home / ".claude" / "settings.json", "Skill(a)", "Skill")
    library, _ = usual_library(Settings(), ["claude-code"])
    (note,) = library.left_to_user
    assert note.path == str(home / ".claude" / "settings.json")
    assert note.message.startswith("denies the tool `Skill`")


def test_skills_of_plugins_go_by_the_plugin_s_name(project, home):
    make_plugin(home, "office", "pdf", "mail")
    make_plugin(home, "other", "notes")
    write_skill(home / ".claude" / "skills", "mail", "My own.")
    settings = home / ".claude" / "settings.json"

    def denied(*rules):
        deny(settings, *rules)
        library, _ = usual_library(Settings(), ["claude-code"])
        return {(skill.name, skill.description) for skill in library if skill.user_only}

    assert denied("Skill(office:pdf)") == {("pdf", "Of the plugin office.")}
    assert denied("Skill(pdf)") == set()
    assert denied("Skill(mail)") == {("mail", "My own.")}
    of_office = {(name, "Of the plugin office.") for name in ("pdf", "mail")}
    assert denied("Skill(office:*)") == of_office
    assert denied("Skill(office *)") == of_office
    assert len(denied("Skill")) == 4


def test_folders_of_other_agents_are_not_concerned(project, home):
    write_skill(home / ".agents" / "skills", "shared")
    write_skill(home / ".claude" / "skills", "own")
    deny(home / ".claude" / "settings.json", "Skill")
    assert found() == {"shared": False, "own": True}
    assert found("cursor") == {"shared": False, "own": False}
    assert found("claude-code") == {"own": True}


def test_rules_and_overrides_hold_at_once(project, home):
    for name in ("off", "denied", "kept"):
        write_skill(home / ".claude" / "skills", name)
    overrides = {"off": "off"}
    deny(home / ".claude" / "settings.json", "Skill(denied)", skillOverrides=overrides)
    assert found("claude-code") == {"denied": True, "kept": False}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"permission": {"skill": {"*": "allow", "pr-*": "deny", "x": "ask"}}}, {"x", "a[1]"}),
        ({"permission": {"skill": {"*": "deny", "pr-*": "allow"}}}, {"pr-a", "pr-b"}),
        ({"permission": {"skill": {"pr-*": "allow", "*": "deny"}}}, set()),
        ({"permission": {"skill": {"pr-*": "deny", "pr-?": "ask"}}}, {"pr-a", "pr-b", "x", "a[1]"}),
        ({"permission": {"skill": {"pr-?": "deny", "a[1]": "deny"}}}, {"x"}),
        ({"permission": {"skill": "deny"}}, set()),
        ({"permission": "deny"}, set()),
        ({"permission": {"*": "deny", "skill": {"x": "allow"}}}, {"x"}),
        ({"permission": {"sk?ll": "deny", "bash": "allow"}}, set()),
        ({"permission": {"bash": "deny", "[s]kill": "deny"}}, {"pr-a", "pr-b", "x", "a[1]"}),
        ({"tools": {"skill": False}}, set()),
        ({"tools": {"skill": False}, "permission": {"skill": {"x": "ask"}}}, {"x"}),
        (
            {
                "permissions": [
                    {"action": "skill", "resource": "*", "effect": "deny"},
                    {"action": "*", "resource": "pr-*", "effect": "allow"},
                    {"action": "shell", "resource": "*", "effect": "deny"},
                ]
            },
            {"pr-a", "pr-b"},
        ),
    ],
)
def test_opencode_s_last_rule_counts(project, home, config, rules, expected):
    for name in ("pr-a", "pr-b", "x", "a[1]"):
        write_skill(home / ".agents" / "skills", name)
    write_json(config / "opencode.json", rules)
    assert set(found("opencode")) == expected
    assert left_to_user("opencode") == set()
    assert len(found()) == len(found("codex")) == len(found("opencode", "codex")) == 4


def test_a_later_file_of_opencode_counts_more(project, home, config, monkeypatch):
    for name in ("a", "b", "c", "d"):
        write_skill(home / ".claude" / "skills", name)
    here = project / "sub"
    here.mkdir()
    monkeypatch.chdir(here)

    def write(file, **rules):
        write_json(file, {"permission": {"skill": rules}})

    write(config / "opencode.json", a="deny", b="deny", c="deny", d="deny")
    assert found("opencode") == {}
    write(config / "opencode.jsonc", a="allow", b="allow", c="allow")
    assert set(found("opencode")) == {"a", "b", "c"}
    write(project / "opencode.json", b="deny", c="deny")
    assert set(found("opencode")) == {"a"}
    write(here / "opencode.json", c="ask")
    assert set(found("opencode")) == {"a", "c"}
    write(project / ".opencode" / "opencode.jsonc", a="deny")
    assert set(found("opencode")) == {"c"}
    library, _ = usual_library(Settings(), ["opencode"])
    assert {Path(d.path).parent.name: d.message for d in library.left_out} == {
        "a": f"left out: disabled in {project / '.opencode' / 'opencode.jsonc'}",
        "b": f"left out: disabled in {project / 'opencode.json'}",
        "d": f"left out: disabled in {config / 'opencode.json'}",
    }
    write_json(project / "managed" / "opencode.json", {"permission": "deny"})
    monkeypatch.setattr(agent_settings, "_MANAGED_OPENCODE", str(project / "managed"))
    assert found("opencode") == {}
    library, _ = usual_library(Settings(), ["opencode"])
    managed = project / "managed" / "opencode.json"
    assert library.skills == []
    assert f"{managed} leaves out 4 skills" in nothing_found(library)


def test_opencode_s_folder_may_be_moved_and_its_files_hold_comments(project, home, monkeypatch):
    for name in ("internal-x", "kept"):
        write_skill(home / ".agents" / "skills", name)
    moved = project / "moved" / "opencode" / "opencode.jsonc"
    moved.parent.mkdir(parents=True)
    moved.write_text(
        '{ // mine\n "url": "https://example.org/*",\n "permission": {"skill": {\n'
        '  "*": "allow", /* all, but */\n  "internal-*": "deny",\n },},\n}\n'
    )
    assert set(found("opencode")) == {"internal-x", "kept"}
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project / "moved"))
    assert set(found("opencode")) == {"kept"}


ODD = [
    "",
    "[]",
    "null",
    "{",
    '"deny"',
    '{"permissions": 1, "permission": 1, "tools": 1}',
    '{"permissions": {"deny": "Skill"}, "permission": ["deny"], "tools": {"skill": 0}}',
    '{"permissions": {"deny": [null, 1, ["Skill"], {"Skill": 1}, "Skill(a\\u0000)"]}}',
    '{"permissions": [null, 1, "deny", {}, {"action": "skill", "resource": 1, "effect": "deny"}]}',
    '{"permissions": [{"action": ["skill"], "resource": "*", "effect": {"deny": 1}}]}',
    '{"permission": {"skill": {"*": ["deny"], "a": {"b": "deny"}, "b": "no", "c\\u0000": "deny"}}}',
    '{"permission": {"skill": ["deny"], "*": null}, "tools": {"skill": [false]}}',
    '{"permissions": {"deny": ' + "[" * 500 + "]" * 500 + "}}",
    json.dumps({"permissions": {"deny": [f"Skill({'a' * 9000})", f"Skill(a{' ' * 9000}*)"]}}),
    json.dumps({"permission": {"skill": {"a" * 9000: "deny", "*a" * 9000: "deny"}}}),
    " " * (9 << 20) + '{"permissions": {"deny": ["Skill"]}, "permission": "deny"}',
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_settings_say_nothing(project, home, config, text):
    for name in ("a", "b"):
        write_skill(home / ".claude" / "skills", name)
    plain = {
        agent: Folders.of([], agents=[agent]).library() for agent in ("claude-code", "opencode")
    }
    for file in (home / ".claude" / "settings.json", config / "opencode.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for agent, before in plain.items():
        assert found(agent) == {"a": False, "b": False}
        library, _ = usual_library(Settings(), [agent])
        assert library.fingerprint == before.fingerprint
        assert default_index_path(library, "m") == default_index_path(before, "m")
        assert "permissions" not in Sources.of(library).to_json()


def test_what_is_no_file_says_nothing(project, home, config):
    write_skill(home / ".claude" / "skills", "a")
    for file in (home / ".claude" / "settings.json", config / "opencode.json"):
        file.mkdir(parents=True)
    (config / "opencode.jsonc").symlink_to("nowhere")
    assert found("claude-code") == found("opencode") == {"a": False}


def test_of_very_many_rules_only_so_many_count(tmp_path, monkeypatch):
    monkeypatch.setattr(permissions, "_MOST", 2)
    monkeypatch.setattr(permissions, "_MOST_LINES", 5)
    claude, opencode = tmp_path / "settings.json", tmp_path / "opencode.json"
    deny(claude, *(f"Skill({name})" for name in "gfedcba"))
    assert [rule.pattern for rule in claude_rules([claude])] == ["c", "d"]
    write_json(opencode, {"permission": {"skill": dict.fromkeys("gfedcba", "deny")}})
    assert [rule.pattern for rule in opencode_rules([opencode])] == ["b", "a"]


def test_rules_that_deny_nothing_are_none(tmp_path):
    file = tmp_path / "opencode.json"
    write_json(file, {"permission": {"*": "ask", "skill": {"*": "allow", "x": "ask"}}})
    assert opencode_rules([file, tmp_path / "none.json"]) == ()


@pytest.mark.parametrize(
    ("agent", "file", "rules", "expected"),
    [
        (
            "claude-code",
            ".claude/settings.local.json",
            {"permissions": {"deny": ["Skill(beta)"]}},
            {"alpha": False, "beta": True},
        ),
        (
            "opencode",
            "opencode.json",
            {"permission": {"skill": {"*": "deny", "alp*": "ask"}}},
            {"alpha": False},
        ),
    ],
)
def test_an_index_follows_the_rules(project, home, encoder, agent, file, rules, expected):
    write_skill(home / ".claude" / "skills", "alpha", "Fill alpha forms.")
    write_skill(home / ".claude" / "skills", "beta", "Fill beta forms.")

    def searched():
        with Retriever.open(agent=agent, model=encoder) as r:
            return {hit.name: hit.user_only for hit in r.search("fill forms")}

    assert searched() == {"alpha": False, "beta": False}
    plain = Folders.of([], agents=[agent]).library()
    write_json(project / file, rules)
    assert searched() == expected
    library = Folders.of([], agents=[agent]).library()
    assert library.fingerprint != plain.fingerprint
    assert default_index_path(library, "m") != default_index_path(plain, "m")
    sources = Sources.of(library)
    stored = json.loads(sources.to_json())
    again = Sources.from_info(IndexInfo(1, None, stored, "", 1, 0))
    assert again == sources
    assert again.library().fingerprint == library.fingerprint
    assert {skill.name: skill.user_only for skill in again.library()} == expected
    (project / file).unlink()
    assert searched() == {"alpha": False, "beta": False}


def test_what_an_index_stores_is_checked():
    assert Permissions.read(None) == Permissions()
    for stored in (1, {"a": 1}, [[], [["a"]], False], [[], 1, False]):
        with pytest.raises((TypeError, ValueError)):
            Permissions.read(stored)
