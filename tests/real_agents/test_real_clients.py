"""Real agents, offline, against a stub model: what they send after `skillret install`."""

import json
import subprocess

import pytest
from tests.real_agents.calls import CLIENTS, FITTING, NEEDLESS, prepare, sent, tree

from skillret.cli import main


def context_for(program, agent, prompt, cwd):
    """What the hook hands over when it is called by hand."""
    names = {"gemini-cli": "BeforeAgent", "opencode": "chat.message"}
    name = names.get(agent, "UserPromptSubmit")
    event = {"hook_event_name": name, "session_id": prompt, "cwd": str(cwd)}
    done = subprocess.run(
        [str(program), "hook", agent],
        input=json.dumps({**event, "prompt": prompt}),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = done.stdout.strip()
    if not answer.startswith("{"):
        return answer
    found = json.loads(answer)
    return found.get("hookSpecificOutput", found)["additionalContext"]


@pytest.mark.parametrize("agent", CLIENTS)
def test_an_agent_is_told_what_fits_and_nothing_else(
    agent, programs, program, home, tmp_path, monkeypatch
):
    place, _, _, command = CLIENTS[agent]
    variables, work = prepare(agent, programs, home, tmp_path, monkeypatch)
    before = tree(home)

    def told(prompt):
        return sent(command, prompt, variables, work)

    assert main(["install", agent, "--no-index"]) == 0
    assert main(["uninstall"]) == 0
    assert tree(home) == before

    assert main(["install", agent]) == 0
    written = {file for file, data in tree(home).items() if before.get(file) != data}
    context = context_for(program, agent, FITTING, work)
    first = context.splitlines()[0]
    found = [text for text in told(FITTING) if first in text]
    # Where it was told nothing, what the hook says of it.
    assert found, subprocess.run([program, "log"], capture_output=True, text=True).stdout
    assert all("pdf-tables" in text for text in found)
    assert all(str(home / place / "pdf-tables" / "SKILL.md") in text for text in found)

    assert context_for(program, agent, NEEDLESS, work) == ""
    assert not [text for text in told(NEEDLESS) if first in text]

    assert main(["uninstall", "--purge"]) == 0
    after = tree(home)
    assert {file: after.get(file) for file in before} == before
    left = [file for file in written - before.keys() if file in after and file.is_file()]
    assert left == []
