"""The mod under Node, with a stand-in for Claude Code; the real one is in `tests/real_agents`."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from skillret.agents.plugin import plugin_files

SESSION = "11111111-2222-3333-4444-555555555555"
TOLD = {"hookSpecificOutput": {"hookEventName": "UserPromptSubmit", "additionalContext": "pdf"}}
ANSWER = {"stdout": json.dumps(TOLD) + "\n"}
SUBMIT = {"event": "prompt.submit", "text": "tables", "origin": {"kind": "composer"}}
LISTING = """\
The following skills are available for use with the Skill tool:

- pdf-tables: Extract tables.
- team:notes: Write notes.
- not a name: of anything
- dataviz: Draw charts. Not for:
- tables
- bare
- local
- init: Begin."""
COMMANDS = [
    {"name": "pdf-tables", "source": "user"},
    {"name": "team:notes", "source": "plugin"},
    {"name": "local", "source": "project"},
    {"name": "bare", "source": "mcp"},
    {"name": "dataviz", "source": "builtin"},
    {"name": "init", "source": "builtin"},
]


@pytest.fixture
def mod(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("THE MOD IS NOT TESTED: there is no node")
    module, scenario = tmp_path / "register.mjs", tmp_path / "scenario.json"
    module.write_text(plugin_files()["plugins/skillret/hooks/register.js"], encoding="utf-8")

    def run(*events, runs=(), options=None):
        given = {"events": events, "runs": runs, "commands": COMMANDS, "session": SESSION}
        scenario.write_text(json.dumps({**given, "options": options or {}}))
        command = [node, str(Path(__file__).with_name("harness.mjs")), str(module), str(scenario)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_every_hook_lets_the_event_pass_if_it_fails(mod):
    registered = mod()["registered"]
    assert [h["name"] for h in registered] == [
        "classic.SessionStart",
        "prompt.submit",
        "skill.prompt",
        "prompt.attachment",
    ]
    assert registered[3]["matcher"] == {"type": "skill_listing"}
    assert all(h["caught"] for h in registered)


def test_what_fits_is_added_to_the_prompt_and_the_settings_hook_knows(mod):
    start = {"event": "classic.SessionStart", "session_id": SESSION, "transcript_path": "/t.jsonl"}
    found = mod(start, {**SUBMIT, "context": ["before"]}, runs=[ANSWER])
    (call,) = found["calls"]
    assert call["argv"] == ["skillret", "hook", "claude-code"]
    assert call["env"] == {"SKILLRET_MOD": ""}
    assert call["stdin"] == {
        "session_id": SESSION,
        "cwd": "/work",
        "transcript_path": "/t.jsonl",
        "hook_event_name": "UserPromptSubmit",
        "prompt": "tables",
    }
    passed = found["answers"][1]
    assert passed["next"]["context"] == ["before", "pdf"]
    assert passed["next"]["text"] == "tables"
    assert passed["env"] == {"SKILLRET_MOD": SESSION}  # before the settings hooks run


@pytest.mark.parametrize("stdout", ["", "\n", "no JSON", "[]", "null", '{"a": 1}'])
def test_without_context_the_prompt_is_as_it_was(mod, stdout):
    found = mod(SUBMIT, runs=[{"stdout": stdout}])
    assert found["answers"][0]["next"] == {k: v for k, v in SUBMIT.items() if k != "event"}
    assert found["env"] == {"SKILLRET_MOD": SESSION}


@pytest.mark.parametrize("run", ["cannot be started", {"exitCode": 127}])
def test_where_the_program_fails_the_settings_hook_is_to_answer(mod, run):
    found = mod(SUBMIT, SUBMIT, runs=[ANSWER, run])
    assert "context" not in found["answers"][1]["next"]
    assert found["answers"][1]["env"] == {"SKILLRET_MOD": ""}


@pytest.mark.parametrize(
    ("kind", "asked"), [("peer", 0), ("task-notification", 0), ("sdk", 1), ("new", 1)]
)
def test_nothing_is_asked_for_messages_that_no_person_wrote(mod, kind, asked):
    found = mod({**SUBMIT, "origin": {"kind": kind}}, runs=[ANSWER])
    assert len(found["calls"]) == asked
    assert ("context" in found["answers"][0]["next"]) == bool(asked)
    assert found["env"] == {"SKILLRET_MOD": SESSION}


def test_loads_are_told_and_go_on_whatever_comes_of_that(mod):
    loaded = {"event": "skill.prompt", "skill": "team:notes", "text": "Write."}
    for run in ({}, "no program"):
        found = mod(loaded, runs=[run])
        assert found["answers"][0]["next"]["text"] == "Write."
        told = found["calls"][0]["stdin"]
        assert (told["hook_event_name"], told["tool_name"]) == ("PostToolUse", "Skill")
        assert told["tool_input"] == {"skill": "team:notes"}


def listed(mod, *, options=None, runs=(ANSWER,), **more):
    listing = {"event": "prompt.attachment", "type": "skill_listing", "text": LISTING, **more}
    return mod(SUBMIT, listing, runs=list(runs), options=options)["answers"][1]


def test_the_listing_stays_unless_its_user_wants_library_mode(mod):
    assert listed(mod)["next"]["text"] == LISTING
    assert listed(mod, options={"library_mode": False})["next"]["text"] == LISTING


def test_in_library_mode_a_note_takes_the_place_of_what_skillret_finds(mod):
    text = listed(mod, options={"library_mode": True})["text"]
    note, kept = text.split("\n\nThese are always there:\n\n")
    assert "skillret names those that fit" in note
    assert kept == "- dataviz: Draw charts. Not for:\n- tables\n- bare\n- init: Begin."


def test_in_library_mode_the_listing_stays_for_subagents_and_where_skillret_fails(mod):
    on = {"library_mode": True}
    assert listed(mod, options=on, agentId="a1")["next"]["text"] == LISTING
    assert listed(mod, options=on, runs=["no program"])["next"]["text"] == LISTING
