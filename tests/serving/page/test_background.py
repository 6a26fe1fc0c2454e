import threading

import pytest

from skillret.errors import SkillretError, StoreError
from skillret.serving.page.background import Background
from tests.serving.http.conftest import wait_for


def test_quick_work_is_there_at_once_and_done_once():
    calls = []
    work = Background("map", lambda library, before: calls.append((library, before)) or 7)
    assert wait_for(lambda: work.get("a", "1")) == 7
    assert work.get("a", "1") == 7
    assert calls == [("a", None)]
    assert wait_for(lambda: work.get("a", "2")) == 7
    assert calls == [("a", None), ("a", 7)]


def test_slow_work_is_begun_once_and_asked_for_again():
    go, calls = threading.Event(), []

    def slow(library, before):
        calls.append(library)
        go.wait(60)
        return library

    work = Background("map", slow)
    assert work.get("a", "1") is None
    assert work.get("a", "1") is None
    go.set()
    assert wait_for(lambda: work.get("a", "1")) == "a"
    assert calls == ["a"]


def test_what_fails_is_told_and_tried_again_in_the_next_generation(caplog):
    fails = [StoreError("the index is gone"), RuntimeError("secret")]

    def work(library, before):
        if fails:
            raise fails.pop(0)
        return 1

    made = Background("map", work)
    with pytest.raises(StoreError, match="gone"):
        wait_for(lambda: made.get("a", "1"))
    with pytest.raises(SkillretError, match="RuntimeError") as raised:
        wait_for(lambda: made.get("a", "2"))
    assert "secret" not in str(raised.value)
    assert wait_for(lambda: made.get("a", "3")) == 1
