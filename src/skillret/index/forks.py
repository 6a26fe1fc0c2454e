"""No fork of this process while SQLite is at work, nor with a database open.

SQLite counts the locks of a process on a file, and a child would inherit the count without the
locks: it could be refused for ever, or work on a file that others hold to be theirs alone
("How To Corrupt An SQLite Database File", section 2.6). So whoever forks waits until all threads
have given back what they use, and all is closed before.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["after_fork", "before_fork", "undivided"]

_PATIENCE = 60.0  # seconds; then a fork goes ahead all the same

_own = threading.local()  # how deep its thread is in `undivided`
_gate = threading.Condition()
_inside = 0
_waiting = 0  # to fork
_before: list[weakref.WeakMethod[Any]] = []
_after: list[weakref.WeakMethod[Any]] = []


@contextmanager
def undivided() -> Iterator[None]:
    """While this lasts no other thread forks. May be entered again."""
    global _inside
    depth = getattr(_own, "depth", 0)
    with _gate:
        # Who is inside already must come to an end first.
        _gate.wait_for(lambda: depth or not _waiting)
        _inside += 1
    _own.depth = depth + 1
    try:
        yield
    finally:
        _own.depth = depth
        with _gate:
            _inside -= 1
            _gate.notify_all()


def before_fork(method: Callable[[], None]) -> None:
    """Call a method before this process forks, as long as its object lives."""
    _add(_before, method)


def after_fork(method: Callable[[], None]) -> None:
    """Call a method in each process that is forked from this one."""
    _add(_after, method)


def _add(methods: list[weakref.WeakMethod[Any]], method: Callable[[], None]) -> None:
    methods[:] = [*(m for m in methods if m() is not None), weakref.WeakMethod(method)]


def _call(methods: list[weakref.WeakMethod[Any]]) -> None:
    for reference in list(methods):
        method = reference()
        if method is not None:
            method()


def _hold() -> None:
    global _waiting
    _gate.acquire()
    _waiting += 1
    _gate.wait_for(lambda: _inside == getattr(_own, "depth", 0), timeout=_PATIENCE)
    _call(_before)


def _go_on() -> None:
    global _waiting
    _waiting -= 1
    _gate.notify_all()
    _gate.release()


def _begin() -> None:
    """In the child, which has this thread alone."""
    global _gate, _inside, _waiting
    _gate = threading.Condition()
    _inside, _waiting = getattr(_own, "depth", 0), 0
    _call(_after)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_go_on, after_in_child=_begin)
