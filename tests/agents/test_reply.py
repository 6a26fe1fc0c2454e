import json

import pytest

from skillret.agents.decision import Decision, Named
from skillret.agents.reply import context_for

RELEASE = Named("1", "release", "release", "Cut a release.", None, 0.9, "close in meaning", True)


@pytest.mark.parametrize(
    ("agent", "typed"),
    [
        ("claude-code", "/release"),
        ("cursor", "/release"),
        ("opencode", "/release"),
        ("gemini", "/release"),
        ("codex", "$release"),
    ],
)
def test_the_user_is_told_to_type_what_the_agent_takes(home, agent, typed):
    event = {"hook_event_name": "UserPromptSubmit", "prompt": "cut a release", "session_id": "1"}
    told = context_for(json.dumps(event).encode(), agent, home, lambda *_: Decision((RELEASE,)))
    assert f"the user can type {typed} (" in told
