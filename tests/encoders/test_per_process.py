import os
import subprocess
import sys
import threading

import pytest

from skillret.encoders.per_process import PerProcess


def test_many_threads_make_one_value():
    made = []
    together = threading.Barrier(8)

    def make():
        made.append(object())
        return made[-1]

    value = PerProcess(make)
    got = []

    def ask():
        together.wait()
        got.append(value())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert got == made * 8


def test_what_cannot_be_made_is_tried_again():
    tries = []

    def make():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("busy")
        return "value"

    value = PerProcess(make)
    with pytest.raises(OSError, match="busy"):
        value()
    assert value() == value() == "value"
    assert len(tries) == 2


def test_one_may_need_another():
    inner = PerProcess(lambda: [1])
    assert PerProcess(lambda: [*inner(), 2])() == [1, 2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_makes_its_own_and_never_destroys_its_parents():
    code = """
import os, sys, threading
from skillret.encoders.per_process import PerProcess

class Value:
    def __init__(self):
        self.process = os.getpid()
    def __del__(self):
        if os.getpid() != self.process:
            os._exit(5)

value, lock = PerProcess(Value), PerProcess(threading.Lock)
first = value()
del first
lock().acquire()
child = os.fork()
if child == 0:
    mine = value()
    with lock():
        sys.exit(0 if mine.process == os.getpid() and mine is value() else 4)
status = os.waitpid(child, 0)[1]
sys.exit(0 if status == 0 and value().process == os.getpid() else 1)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_waits_for_what_is_being_made():
    code = """
import os, sys, threading
from skillret.encoders.per_process import PerProcess

begun, go_on = threading.Event(), threading.Event()
def make():
    begun.set()
    go_on.wait(30)
    return "value"
value = PerProcess(make)
thread = threading.Thread(target=value)
thread.start()
begun.wait(30)
threading.Timer(0.05, go_on.set).start()
child = os.fork()
if child == 0:
    os._exit(0 if value() == "value" else 4)
thread.join()
sys.exit(os.waitpid(child, 0)[1])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60)
    assert done.returncode == 0
