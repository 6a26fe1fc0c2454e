"""Closing an index, or forking, beside searches and writes of other threads."""

import os
import subprocess
import threading

import pytest
from tests.conftest import HashEncoder, fill, make_skill
from tests.index.tools import run

from skillret import Index, Retriever
from skillret.errors import StoreError
from skillret.index import forks


def test_an_index_can_be_closed_beside_searches(tmp_path):
    """The process died: a connection was closed under a search."""
    path, strange = tmp_path / "i.db", []
    fill(path, [make_skill(f"s{i}", f"thing {i}") for i in range(46)]).close()

    def search(retriever, ready):
        ready.wait()
        try:
            for _ in range(50):
                assert len(retriever.search("thing 7", 3)) == 3
        except StoreError as e:
            if "is closed; open it again" not in str(e):
                strange.append(e)
        except Exception as e:
            strange.append(e)

    for _ in range(15):
        retriever = Retriever(Index.open(path, model=HashEncoder()))
        ready = threading.Barrier(5)
        threads = [threading.Thread(target=search, args=(retriever, ready)) for _ in range(4)]
        for thread in threads:
            thread.start()
        ready.wait()
        retriever.close()
        for thread in threads:
            thread.join()
        with pytest.raises(StoreError, match="is closed; open it again"):
            retriever.search("thing")
    assert strange == []


_FORKS = """
    import os, sys, threading, traceback
    from tests.conftest import HashEncoder, make_skill
    import skillret
    skills = [make_skill(f"s{i}", f"thing {i}") for i in range(46)]
    if sys.argv[2] == "file":
        index = skillret.Index.open(sys.argv[1], create=True, model=HashEncoder())
    else:
        index = skillret.Index.in_memory(model=HashEncoder())
    index.update(skills)
    retriever = skillret.Retriever(index)
    expected = [h.name for h in retriever.search("thing 3")]
    stop = False
    def search():
        while not stop:
            retriever.search("thing 7")
    go = threading.Event()
    def write():  # once beside each fork
        number = 100
        while go.wait() and not stop:
            go.clear()
            number += 1
            index.add([make_skill("other", f"strange {number}")])
    threads = [threading.Thread(target=t, daemon=True) for t in (search, search, write)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for round in range(8):
        go.set()
        child = os.fork()
        if not child:
            status = 1
            try:
                assert [h.name for h in retriever.search("thing 3")] == expected
                if round % 2 and sys.argv[2] == "file":
                    index.add([make_skill(f"child{round}", "unlike")])
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        assert status == 0, status
    stop = True
    go.set()
    for thread in threads:
        thread.join()
    print(sorted(s.name for s in index.skills() if s.name.startswith("child")))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_process_forked_beside_searches_and_writes_answers(tmp_path, kind):
    process = run(_FORKS, tmp_path / "i.db", kind, start_new_session=True)
    try:
        out, err = process.communicate(timeout=120)  # a child that hangs would do so for ever
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err = process.communicate()
        pytest.fail(f"a child hangs: {out} {err}")
    assert process.returncode == 0, err
    if kind == "file":
        children = sorted(f"child{n}" for n in range(1, 8, 2))
        assert out.splitlines()[-1] == str(children)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_thread_that_forks_in_the_middle_of_its_own_work_does_not_wait_for_itself():
    with forks.undivided(), forks.undivided():
        child = os.fork()
        if not child:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (forks._inside, forks._waiting) == (0, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_waits_for_what_is_under_way_and_lets_nothing_new_begin(tmp_path):
    order, inside, go = [], threading.Event(), threading.Event()

    def work():
        with forks.undivided():
            inside.set()
            go.wait()
            with forks.undivided():  # who is inside already passes
                order.append("worked")

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    waiting = threading.Thread(target=lambda: (_until_a_fork_waits(), go.set()))
    waiting.start()
    child = os.fork()
    if not child:
        os._exit(0 if order == ["worked"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
    waiting.join()


def _until_a_fork_waits():
    with forks._gate:
        while not forks._waiting:
            forks._gate.wait(0.01)
