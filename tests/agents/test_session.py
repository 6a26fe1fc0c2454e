import os
import stat
import threading

import pytest

from skillret.agents.session import SessionMemory


@pytest.fixture
def memory(tmp_path):
    return SessionMemory(tmp_path / "cache" / "sessions")


def test_a_session_remembers_what_it_was_told_until_it_is_forgotten(memory):
    memory.tell("codex", "one", ["a", "b"])
    memory.tell("codex", "one", ["c"])
    assert memory.told("codex", "one", ["a", "c", "d"]) == {"a", "c"}
    assert SessionMemory(memory.folder).told("codex", "one", ["b"]) == {"b"}
    assert not memory.told("codex", "two", ["a"])
    assert not memory.told("claude-code", "one", ["a"])
    memory.forget("codex", "one")
    assert not memory.told("codex", "one", ["a", "b", "c"])


def test_what_nobody_has_heard_is_new_again(memory):
    memory.untell("codex", "one", ["a"])
    memory.tell("codex", "one", ["a", "b", "c"])
    memory.untell("codex", "one", ["a", "c", "d"])
    assert memory.tell("codex", "one", ["a", "b", "c"]) == {"a", "c"}


@pytest.mark.parametrize(
    "session", ["../../x", "a\0b", "%2e%2e%2f", "x" * 10_000, "\ud800", "", "con", "/etc/passwd"]
)
def test_any_name_of_a_session_becomes_a_file_in_the_folder(memory, session):
    memory.tell("codex", session, ["a", "\ud800", "../b"])
    assert memory.told("codex", session, ["a", "../b"]) == {"a", "../b"}
    (file,) = memory.folder.iterdir()
    assert file.stem.isalnum()
    assert "a" * 20 not in file.name
    assert len(file.name) < 50


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_nobody_else_can_look_into_the_folder(memory, tmp_path):
    memory.tell("codex", "one", ["a"])
    assert stat.S_IMODE(memory.folder.stat().st_mode) == 0o700
    memory.folder.chmod(0o777)
    memory.told("codex", "one", ["a"])
    assert stat.S_IMODE(memory.folder.stat().st_mode) == 0o700
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    linked = SessionMemory(tmp_path / "linked")
    linked.folder.symlink_to(elsewhere)
    linked.tell("codex", "one", ["a"])
    assert not any(elsewhere.iterdir())


def test_damaged_files_and_folders_say_nothing(memory, tmp_path):
    memory.tell("codex", "one", ["a"])
    (file,) = memory.folder.iterdir()
    for content in (b"", b"{", b"[]", b'{"told": 3}', b'{"told": [1, {}]}', b"\xff", b"[" * 9999):
        file.write_bytes(content)
        assert not memory.told("codex", "one", ["a"])
    memory.tell("codex", "one", ["b"])
    assert memory.told("codex", "one", ["b"]) == {"b"}
    blocked = SessionMemory(tmp_path / "file")
    blocked.folder.write_text("")
    blocked.tell("codex", "one", ["a"])
    assert not blocked.told("codex", "one", ["a"])
    blocked.forget("codex", "one")


def test_sessions_and_what_they_were_told_are_bounded(memory):
    for number in range(3):
        memory.tell("codex", "long", [f"{number}-{n}" for n in range(200)])
    assert len(memory.told("codex", "long", [f"2-{n}" for n in range(200)])) == 200
    assert not memory.told("codex", "long", [f"0-{n}" for n in range(200)])
    assert sum(f.stat().st_size for f in memory.folder.iterdir()) < 10_000
    for number in range(250):  # older than the session above
        file = memory.folder / f"old-{number}.json"
        file.touch()
        os.utime(file, (number, number) if number < 10 else None)
    memory.tell("codex", "new", ["a"])
    left = list(memory.folder.iterdir())
    assert len(left) == 200
    assert not any(file.name == "old-3.json" for file in left)
    assert memory.told("codex", "new", ["a"])


def test_of_several_that_ask_at_once_one_is_given_a_skill(memory):
    memory.tell("claude-code", "one", ["a"])
    start = threading.Barrier(8)
    given = []

    def ask():
        start.wait()
        given.append(memory.tell("claude-code", "one", ["a", "b", "c"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given, key=len) == [set()] * 7 + [{"b", "c"}]
