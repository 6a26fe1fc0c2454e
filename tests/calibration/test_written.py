import hashlib
import random

import pytest

from skillret.calibration import written as module
from skillret.calibration.written import asked, digests, written

NAMES = ("answered", "asked", "background", "idle", "mentioned", "tasks", "turns")


@pytest.mark.parametrize("name", NAMES)
def test_every_file_holds_texts_each_once(name):
    texts = written(name)
    assert len(texts) >= 7
    assert len(set(texts)) == len(texts)
    assert all(text == text.strip() and not text.startswith("#") for text in texts)
    if name in ("answered", "asked", "mentioned"):
        assert all(way.count("{}") == 1 for way in texts)
    else:
        assert not any("{" in text for text in texts)


def test_what_needs_a_skill_and_what_needs_none_are_no_common_texts():
    assert not set(written("tasks")) & {*written("idle"), *written("turns"), *written("background")}


def test_a_text_is_said_in_one_of_several_ways():
    ways = ("please {}", "can you {}?")
    draw = random.Random(0)
    said = {asked("What is up?", ways, draw) for _ in range(20)}
    assert said == {"please what is up", "can you what is up?"}


def test_digests_are_those_of_the_files(monkeypatch, tmp_path):
    assert sorted(digests()) == [f"{name}.txt" for name in NAMES]
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    assert digests() == {"a.txt": hashlib.sha256(b"one\ntwo\n").hexdigest()}
