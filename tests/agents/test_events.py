import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillret.agents.events import read_event
from skillret.agents.hosts import HOSTS, printed
from skillret.skills.agents import AGENTS

HERE = Path(__file__).parent


def read(event, agent="claude-code"):
    return read_event(json.dumps(event).encode(), agent, HERE)


# As the agents were seen to write them, or say that they do.
@pytest.mark.parametrize(
    ("agent", "event", "kind", "session"),
    [
        ("claude-code", {"session_id": "s", "hook_event_name": "UserPromptSubmit"}, "prompt", "s"),
        ("codex", {"session_id": "s", "hook_event_name": "UserPromptSubmit"}, "prompt", "s"),
        ("gemini-cli", {"session_id": "s", "hook_event_name": "BeforeAgent"}, "prompt", "s"),
        (
            "cursor",
            {"conversation_id": "s", "hook_event_name": "beforeSubmitPrompt"},
            "prompt",
            "s",
        ),
        ("kiro", {"hook_event_name": "userPromptSubmit"}, "prompt", None),
        ("opencode", {"sessionID": "s", "event": "chat.message"}, "prompt", "s"),
        ("copilot", {"timestamp": 1}, "prompt", None),
        ("copilot", {"sessionId": "s", "source": "startup"}, "start", "s"),
        ("gemini-cli", {"session_id": "s", "hook_event_name": "PreCompress"}, "forget", "s"),
        ("opencode", {"event": "session.compacted", "sessionID": "s"}, "forget", "s"),
        ("claude-code", {"hook_event_name": "Stop"}, "other", None),
        ("claude-code", {"hook_event_name": "PostToolUse", "tool_name": "Bash"}, "other", None),
    ],
)
def test_events_of_every_agent(agent, event, kind, session):
    found = read({**event, "prompt": "fix it", "cwd": str(HERE.parent)}, agent)
    assert (found.kind, found.turn.session) == (kind, session)
    assert found.turn.prompt == "fix it"
    assert found.turn.cwd == HERE.parent
    assert found.turn.agent == agent


@pytest.mark.parametrize(
    ("event", "skill"),
    [
        ({"tool_name": "Skill", "tool_input": {"skill": "office:pdf"}}, "office:pdf"),
        ({"tool_name": "activate_skill", "tool_input": {"name": "pdf"}}, "pdf"),
        ({"toolName": "skill", "toolArgs": '{"name": "pdf"}'}, "pdf"),
        ({"tool_name": "Read", "tool_input": {"file_path": "/a b/p/SKILL.md"}}, "/a b/p/SKILL.md"),
        (
            {
                "tool_name": "shell",
                "tool_input": {"command": ["sh", "-c", "cat '~/s/pdf/SKILL.md'"]},
            },
            "~/s/pdf/SKILL.md",
        ),
        ({"tool_name": "Bash", "tool_input": {"command": "echo SKILL.md"}}, ""),
        ({"tool_name": "Skill", "tool_input": [1]}, ""),
        ({"tool_name": "Skill"}, ""),
    ],
)
def test_which_skill_was_loaded(event, skill):
    found = read({"hook_event_name": "PostToolUse", **event})
    assert found.skill == skill
    assert found.kind == ("loaded" if skill else "other")


def test_fields_of_a_wrong_type_and_folders_that_are_not_there_do_not_matter():
    odd = {"session_id": ["x"], "cwd": "/no/such", "prompt": 5, "transcript_path": "a\0b"}
    turn = read({"hook_event_name": "UserPromptSubmit", **odd}).turn
    assert turn == ("", "claude-code", HERE, None, None)
    turn = read({"workspace_roots": [str(HERE.parent)], "transcript_path": "/t", "text": "\ud800"})
    assert (turn.turn.cwd, turn.turn.transcript) == (HERE.parent, Path("/t"))
    assert turn.turn.prompt == "?"
    assert read_event(b'\xef\xbb\xbf{"prompt": "x"}', "codex", HERE).turn.prompt == "x"
    assert len(read({"session_id": "s" * 9999}).turn.session) == 200


@given(st.binary() | st.lists(st.text() | st.floats()).map(lambda found: repr(found).encode()))
def test_no_bytes_do_more_than_a_value_error(data):
    with suppress(ValueError):
        read_event(data, "claude-code", HERE)


@given(
    st.dictionaries(
        st.sampled_from(
            ["hook_event_name", "prompt", "cwd", "source", "tool_name", "tool_input", "session_id"]
        ),
        st.sampled_from(["PostToolUse", "SessionStart", "Skill", "x/SKILL.md"])
        | st.text()
        | st.integers()
        | st.lists(st.text(), max_size=2)
        | st.dictionaries(st.text(), st.text() | st.lists(st.integers(), max_size=2), max_size=2),
    )
)
def test_whatever_the_fields_hold_it_is_an_event(event):
    assert read(event).turn.cwd.is_absolute()


def test_each_agent_takes_what_is_printed():
    context = "Fits: „pdf“\n\x1b[1m"
    for agent, host in HOSTS.items():
        assert agent in {a.name for a in AGENTS}
        event = read({"hook_event_name": host.prompt or host.start, "prompt": "x"}, agent)
        assert printed(host, event, "") == b""
        out = printed(host, event, context).decode()
        if agent == "kiro":
            assert out == context + "\n"
            continue
        assert out.isascii()
        document = json.loads(out)
        if agent in ("claude-code", "codex", "gemini-cli"):
            inner = document.pop("hookSpecificOutput")
            assert inner == {"hookEventName": host.prompt, "additionalContext": context}
            assert document == {}
        else:
            key = "additional_context" if agent == "cursor" else "additionalContext"
            assert document == {key: context}
