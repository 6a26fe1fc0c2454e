"""The hook as an agent calls it: whole processes, most of them with a stand-in for the skills."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from skillret.agents import hook as module
from skillret.agents.install.leftovers import stop_warm
from skillret.agents.log import LOG
from skillret.agents.private import private_folder
from tests.conftest import ROOT, write_skill

# Loaded by every Python that has it on its path: skills without a model, and prompts that hurt.
STAND_IN = """
import os, sys, time, types

def module(name, **values):
    made = types.ModuleType(name)
    vars(made).update(values)
    sys.modules[name] = made

class Retriever:
    @classmethod
    def open(cls, **_):
        return cls()
    def refresh(self):
        pass

def route(turn, retriever, memory, mode="normal"):
    from skillret.agents.decision import Decision, Named
    if turn.prompt == "hang":
        time.sleep(600)
    if turn.prompt == "hang with the lock of Python":
        import ctypes
        ctypes.PyDLL(None).sleep(600)
    if turn.prompt == "wait":
        open(os.path.expanduser("~/waiting"), "w").close()
        while not os.path.exists(os.path.expanduser("~/go-on")):
            time.sleep(0.01)
    if turn.prompt == "crash":
        os.kill(os.getpid(), 11)
    if turn.prompt == "noise":
        os.write(1, b"x"), os.write(2, b"x"), print("x", flush=True)
    if turn.prompt == "raise":
        raise RuntimeError("no\\nway")
    if turn.prompt == "nothing":
        return Decision(silent="no skill is sure enough", query=turn.prompt)
    return Decision((Named("a", "a", "a", "A.", None, 0.9, f"{mode} {os.getpid()}"),))

class SessionMemory:
    def forget(self, agent, session):
        open(os.path.expanduser("~/forgotten"), "a").write(f"{agent} {session}\\n")
    def untell(self, agent, session, skills):
        open(os.path.expanduser("~/untold"), "a").write(f"{agent} {session} {skills}\\n")

module("skillret.retrieval", Retriever=Retriever)
module("skillret.agents.route", route=route)
module("skillret.agents.session", SessionMemory=SessionMemory)
module("skillret.agents.context", context_of=lambda decision, *_: decision.named[0].reason)
"""
SECONDS = "60"  # on a busy machine even Python's start takes long


@pytest.fixture
def environment(home, tmp_path):
    folder = tmp_path / "stand-in"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(STAND_IN)
    path = os.pathsep.join([str(folder), str(ROOT / "src")])
    given = {**os.environ, "PYTHONPATH": path, "SKILLRET_WARM": "0"}
    return given | {"SKILLRET_HOOK_SECONDS": SECONDS}


@pytest.fixture
def warm(environment, monkeypatch):
    """An environment in which hooks start a warm process; what they have started ends."""
    # A name that is short enough for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="sr-") as state:
        monkeypatch.setenv("XDG_STATE_HOME", state)
        yield {**environment, "SKILLRET_WARM": "1", "XDG_STATE_HOME": state}
        for socket in sockets():
            socket.unlink(missing_ok=True)


def hook(environment, data, *arguments, **options):
    """What a hook prints; it never fails, and never says anything else."""
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    command = [sys.executable, "-m", "skillret", "hook", *(arguments or ("claude-code",))]
    done = subprocess.run(command, input=data, capture_output=True, env=environment, **options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def prompt(text, **more):
    return {"hook_event_name": "UserPromptSubmit", "session_id": "s", "prompt": text, **more}


def answer(out):
    """The context, of a Claude Code hook."""
    document = json.loads(out)
    assert list(document) == ["hookSpecificOutput"]
    assert set(document["hookSpecificOutput"]) == {"hookEventName", "additionalContext"}
    assert document["hookSpecificOutput"]["hookEventName"] == "UserPromptSubmit"
    return document["hookSpecificOutput"]["additionalContext"]


def log():
    folder = private_folder()
    file = Path(folder) / LOG
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_it_prints_the_answer_alone(environment):
    assert answer(hook(environment, prompt("noise"))).startswith("normal ")
    assert answer(hook(environment, prompt("x"), "claude", "--mode=eager")).startswith("eager ")
    assert hook(environment, prompt("nothing")) == ""
    decision, _, silent = log()
    assert decision["named"][0]["score"] == 0.9
    assert silent["silent"] == "no skill is sure enough"
    assert not any("query" in entry for entry in log())
    assert hook({**environment, "SKILLRET_LOG_QUERIES": "true"}, prompt("nothing")) == ""
    assert log()[-1]["query"] == "nothing"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the event is empty"),
        (b"{", "the event is not JSON"),
        (b"[1]", "the event is no object but a list"),
        (b'{"prompt": 5}', "prompt of the event is no text: int"),
        (b'{"hook_event_name": "UserPromptSubmit", "prompt": ["a"]}', "prompt of the event is no"),
        (b'{"hook_event_name": "UserPromptSubmit"}', "the event has no prompt or userPrompt or"),
        (b"\xff\xfe{\x00}\x00", "'utf-8' codec can't decode"),
        (b'{"prompt": "' + b"x" * 10_000_000 + b'"}', "the event is larger than 4 MB"),
        (b'{"a": ' * 100_000, "the event is not JSON: nested too deeply"),
        (b'{"prompt": NaN}', "the event is not JSON: NaN is no number in JSON"),
        (json.dumps(prompt("raise")).encode(), "RuntimeError: no\nway"),
        (json.dumps(prompt("crash")).encode(), "the process that answers has crashed"),
    ],
)
def test_whatever_is_wrong_nothing_is_printed_and_a_line_is_logged(environment, data, why):
    assert hook(environment, data) == ""
    (entry,) = log()
    assert entry["kind"] == "failed"
    assert entry["why"].startswith(why)


@pytest.mark.parametrize("text", ["hang", "hang with the lock of Python"])
def test_whatever_hangs_the_agent_goes_on(environment, text):
    assert hook({**environment, "SKILLRET_HOOK_SECONDS": "1.5"}, prompt(text)) == ""
    assert log()[-1]["why"] == "no answer within 1.5 s"


def test_an_agent_that_never_ends_its_event_goes_on(environment):
    command = [sys.executable, "-m", "skillret", "hook", "codex"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environment, "SKILLRET_HOOK_SECONDS": "1"},
    ) as process:
        assert process.stdout.read() == b""
        assert process.wait() == 0


def test_events_and_agents_that_are_not_for_us(environment):
    assert hook(environment, prompt("x", hook_event_name="Stop", more={"a": [None]})) == ""
    assert log() == []
    for arguments in (("no-such-agent",), ("--frob",), ("goose",)):
        assert hook(environment, prompt("x"), *arguments) == ""
    assert "unknown agent 'no-such-agent'" in log()[0]["why"]
    assert "no hook of this agent" in log()[-1]["why"]
    assert answer(hook(environment, prompt("x"), "codex", "--frob")).startswith("normal")


def test_a_session_that_was_compacted_is_forgotten_and_a_load_is_logged(environment, home):
    for source in ("startup", "compact", "clear"):
        start = prompt("", hook_event_name="SessionStart", source=source)
        assert hook(environment, start) == ""
    assert (home / "forgotten").read_text() == "claude-code s\n" * 2
    event = prompt("", hook_event_name="PostToolUse", tool_name="Skill", tool_input={"skill": "a"})
    assert hook(environment, event) == ""
    assert log()[-1]["skill"] == "a"


def test_what_the_mod_has_answered_is_not_answered_again(environment, home):
    marked = {**environment, "SKILLRET_MOD": "s"}
    loaded = {"hook_event_name": "PostToolUse", "session_id": "s", "tool_name": "Skill"}
    loaded["tool_input"] = {"skill": "a"}
    assert hook(marked, prompt("x")) == hook(marked, loaded) == ""
    assert log() == []
    # The variable is inherited by whatever the session starts, another session for one.
    assert answer(hook(marked, prompt("x", session_id="t"))).startswith("normal ")
    assert answer(hook({**environment, "SKILLRET_MOD": ""}, prompt("x"))).startswith("normal ")
    emptied = {"hook_event_name": "SessionStart", "session_id": "s", "source": "compact"}
    assert hook(marked, emptied) == ""
    assert (home / "forgotten").read_text() == "claude-code s\n"


def test_the_mod_and_other_hooks_share_a_warm_process(warm):
    by_mod = {**warm, "SKILLRET_MOD": ""}
    cold = answer(hook(by_mod, prompt("x")))
    wait_for(sockets)
    first = answer(hook(warm, prompt("x")))
    assert first != cold
    assert answer(hook(by_mod, prompt("x"))) == first
    assert answer(hook({**warm, "SKILLRET_MOD": "t"}, prompt("x"))) == first


def test_closed_streams_and_a_folder_that_is_gone(environment, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$@" <&- 2>&-'
    command = ["sh", "-c", script, "sh", sys.executable, "-P", "-m", "skillret", "hook", "codex"]
    if sys.version_info < (3, 11):
        command.remove("-P")
    done = subprocess.run(command, cwd=gone, env=environment, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


def wait_for(found):
    """What is there at last."""
    end = time.monotonic() + 120
    while not (what := found()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return what


def sockets():
    """Sockets, and files with a port in their place, of the warm processes that are there."""
    return [f for f in Path(private_folder()).glob("warm-*") if f.suffix != ".lock"]


def start(environment, *arguments):
    code = "from skillret.agents.warm import main; main()"
    command = [sys.executable, "-c", code, *arguments, "--", "claude-code", os.sep]
    return subprocess.Popen(command, env=environment)


def test_a_hook_starts_a_warm_process_that_answers_the_next_ones(warm):
    cold = answer(hook(warm, prompt("x")))
    wait_for(sockets)
    first = answer(hook(warm, prompt("x")))
    assert answer(hook(warm, prompt("x"))) == first != cold
    assert answer(hook(warm, prompt("x"), "claude", "--mode", "quiet")).startswith("quiet ")
    assert hook(warm, b"{") == ""
    assert hook(warm, prompt("nothing")) == ""
    # It was killed: the next hook answers by itself, and starts another one.
    pid = int(first.split()[1])
    os.kill(pid, signal.SIGKILL)
    alone = answer(hook(warm, prompt("x")))
    assert alone not in (cold, first)
    wait_for(lambda: answer(hook(warm, prompt("x"))) == answer(hook(warm, prompt("x"))))
    assert answer(hook(warm, prompt("x"))) != first


@pytest.mark.parametrize(
    ("agent", "known"), [("codex", True), ("claude", True), ("cline", False), ("nosuch", False)]
)
def test_for_an_agent_that_takes_nothing_no_process_is_kept_warm(agent, known, monkeypatch):
    started = []
    monkeypatch.setattr(module, "_start_warm", started.append)
    monkeypatch.setattr(module, "_ask", lambda *_: None)
    monkeypatch.setattr(module, "_by_child", lambda *_: b"")
    monkeypatch.setattr(module, "_within", lambda *_: b"")
    monkeypatch.setattr(module, "_event", lambda *_: b"{}")
    monkeypatch.setattr(module, "_occupy", lambda: None)
    monkeypatch.setenv("SKILLRET_WARM", "1")
    assert module.main([agent]) == 0
    assert started == [agent] * known


def test_two_hooks_at_once_have_one_warm_process(warm):
    processes = [start(warm), start(warm)]
    wait_for(lambda: any(p.poll() is not None for p in processes))
    (stays,) = [p for p in processes if p.poll() is None]
    wait_for(sockets)
    command = [sys.executable, "-m", "skillret", "hook", "codex"]
    hooks = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=warm)
        for _ in range(3)
    ]
    data = json.dumps(prompt("x")).encode()
    answers = {answer(p.communicate(data)[0]) for p in hooks}
    assert answers == {f"normal {stays.pid}"}
    # A hook of another home, program or setting is none of its business.
    other = answer(hook({**warm, "SKILLRET_LIMIT": "3"}, prompt("x")))
    assert other not in answers
    assert stop_warm(wait=True) >= 1
    assert stays.wait(60) == 0


def test_one_that_is_only_starting_is_stopped_too(warm, monkeypatch):
    monkeypatch.setattr("skillret.agents.install.leftovers._SECONDS", 120.0)
    process = start(warm)
    wait_for(lambda: list(Path(private_folder()).glob("warm-*.lock")))
    assert stop_warm(wait=True) == 1
    assert process.wait(60) == 0
    assert sockets() == []


def test_a_warm_process_ends_when_nobody_asks(warm):
    assert start(warm, "--idle", "0.5").wait(120) == 0
    assert sockets() == []
    assert [f.suffix for f in Path(private_folder()).iterdir()] == [".lock"]


def test_one_that_hangs_in_a_warm_process_does_not_stop_others(environment):
    """Where a socket's name would be too long, and on Windows: by a port, and a token in a file."""
    warm = {**environment, "SKILLRET_WARM": "1"}
    process = start(warm)
    (port,) = wait_for(sockets)
    assert port.suffix == ".port"
    assert port.stat().st_mode & 0o777 == 0o600
    command = [sys.executable, "-m", "skillret", "hook", "claude"]
    hanging = subprocess.Popen(command, stdin=subprocess.PIPE, env=warm)
    hanging.stdin.write(json.dumps(prompt("hang")).encode())
    hanging.stdin.close()
    assert answer(hook(warm, prompt("x"))) == f"normal {process.pid}"
    hanging.kill()
    hanging.wait()
    process.kill()
    process.wait()


def test_what_a_hook_that_has_given_up_was_to_be_told_is_new_again(warm, home):
    process = start(warm)
    wait_for(sockets)
    command = [sys.executable, "-m", "skillret", "hook", "claude"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=warm) as asking:
        asking.stdin.write(json.dumps(prompt("wait")).encode())
        asking.stdin.close()
        wait_for((home / "waiting").exists)
        asking.kill()
    (home / "go-on").touch()
    wait_for((home / "untold").exists)
    assert (home / "untold").read_text() == "claude-code s ['a']\n"
    process.kill()
    process.wait()


def test_hundreds_of_new_skills_are_read_in_the_background(home):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "SKILLRET_HOOK_SECONDS": SECONDS}
    place = home / ".claude" / "skills"
    for number in range(300):
        write_skill(
            place, f"skill-{number}", f"Turns files of kind {number} into kind {number + 1}."
        )
    write_skill(place, "pods", "Find out why kubernetes pods crash or restart.")
    asked = prompt("find out why my kubernetes pods crash and restart", session_id=None)
    assert hook(environment, asked) == ""
    assert log()[0]["why"] == "301 skills are new, and are read in the background"
    assert "pods" in answer(wait_for(lambda: hook(environment, asked)))
    for socket in sockets():
        socket.unlink()  # ends the process


def test_with_skills_and_a_model(home, tmp_path, monkeypatch):
    """From a folder of skills to what the agent is told, and what is new counts at once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "SKILLRET_HOOK_SECONDS": SECONDS}
    write_skill(home / ".claude" / "skills", "release-notes", "Write release notes from commits.")
    process = start(environment)
    wait_for(sockets)
    asked = prompt("find out why my kubernetes pods crash and restart", session_id=None)
    assert "kubernetes" not in hook(environment, asked)
    write_skill(
        home / ".claude" / "skills",
        "kubernetes-debugging",
        "Find out why kubernetes pods crash or restart.",
    )
    assert "kubernetes-debugging" in answer(hook(environment, asked))
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("given", "seconds"), [("nan", 2.0), ("x", 2.0), ("1.5", 1.5), ("inf", 60.0)]
)
def test_seconds_that_are_none_are_the_usual_ones(given, seconds, monkeypatch):
    from skillret.agents import hook as module

    monkeypatch.setenv("SKILLRET_HOOK_SECONDS", given)
    assert module._limit() == seconds
