import threading
import time

import pytest

from skillret.agents.answers import Answers, NotYetError
from skillret.agents.decision import Turn
from skillret.errors import InputError
from skillret.retrieval import Retriever
from skillret.settings import FILE
from tests.conftest import write_skill


@pytest.fixture
def opened(monkeypatch):
    """Stands in for retrievers, and tells what was opened; prompts are answered with theirs."""
    seen = []

    class Opened:
        def __init__(self, **given):
            self.given, self.looks, self.wait = given, 0, threading.Event()
            self.wait.set()
            seen.append(self)

        def refresh(self):
            self.wait.wait()
            self.looks += 1

    def route(turn, retriever, memory, mode):
        return retriever, mode

    monkeypatch.setattr(Retriever, "open", lambda **given: Opened(**given))
    monkeypatch.setattr("skillret.agents.route.route", route)
    return seen


def test_libraries_are_kept_open_up_to_a_few(opened, tmp_path):
    answers = Answers()

    def ask(agent, folder="."):
        return answers(Turn("x", agent, tmp_path / folder))

    first, mode = ask("codex")
    assert (first.given["agent"], first.given["cwd"], mode) == ("codex", tmp_path, "normal")
    assert ask("codex") == (first, "normal")
    assert first.looks == 1
    others = {ask(agent)[0] for agent in ("claude-code", "cursor", "kiro")}
    assert len({first, *others}) == 4
    assert ask("codex")[0] is first
    ask("codex", "elsewhere")
    assert ask("codex")[0] is first
    assert ask("claude-code")[0] not in others  # the one that was asked for least lately
    assert len(answers._kept) == 4


def test_the_mode_is_that_of_the_settings_and_what_changed_there_counts_at_once(opened, tmp_path):
    answers, turn = Answers(), Turn("x", "codex", tmp_path)
    first, _ = answers(turn)
    (tmp_path / FILE).write_text('mode = "eager"\n')
    second, mode = answers(turn)
    assert (second is first, mode) == (False, "eager")
    assert answers(turn, "quiet") == (second, "quiet")


def test_a_prompt_waits_for_so_long_and_what_is_there_answers_it(opened, tmp_path, monkeypatch):
    go_on = threading.Event()
    ready = Retriever.open

    def slow(**given):
        go_on.wait()
        return ready(**given)

    monkeypatch.setattr(Retriever, "open", slow)
    answers, turn = Answers(patience=0.01), Turn("x", "codex", tmp_path)
    for _ in range(2):
        with pytest.raises(NotYetError, match="being read for the first time"):
            answers(turn)
    go_on.set()
    answers.open("codex", tmp_path)
    (retriever,) = opened
    retriever.wait.clear()  # a thousand skills were added
    assert answers(turn)[0] is retriever
    retriever.wait.set()
    answers.open("codex", tmp_path)
    assert len(opened) == 1


def test_a_library_that_cannot_be_opened_is_tried_again(home, tmp_path):
    answers = Answers()
    with pytest.raises(InputError, match="no place of Codex is there"):
        answers(Turn("plan meals", "codex", tmp_path))
    write_skill(home / ".codex" / "skills", "meal-planner", "Plan meals for a week.")
    assert answers(Turn("thanks", "codex", tmp_path)).silent


def test_so_many_new_skills_are_left_to_another_process(home, tmp_path):
    for number in range(3):
        write_skill(home / ".codex" / "skills", f"skill-{number}", f"Does number {number}.")
    turn = Turn("thanks", "codex", tmp_path)
    with pytest.raises(NotYetError, match="3 skills are new"):
        Answers(most_new=2)(turn)
    assert Answers(most_new=3)(turn).silent
    assert Answers(most_new=0)(turn).silent  # none is new now


def test_what_is_found_too_late_was_told_to_nobody(home, tmp_path):
    write_skill(home / ".codex" / "skills", "meal-planner", "Plan meals for a week and shop.")
    turn = Turn("plan meals for a week", "codex", tmp_path, session="s")
    with pytest.raises(NotYetError, match="too late"):
        Answers(end=time.monotonic() - 1)(turn)
    assert [named.name for named in Answers(end=time.monotonic() + 60)(turn).named] == [
        "meal-planner"
    ]
    assert Answers()(turn).silent == "the session was told already"
