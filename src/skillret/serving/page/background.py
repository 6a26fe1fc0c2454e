"""Work that takes longer than a request may, done once for each generation of a library."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from skillret.errors import SkillretError

__all__ = ["Background"]

_T = TypeVar("_T")
_KEPT = 32  # libraries whose result is remembered
_AT_ONCE = 0.25  # seconds that the first one to ask waits: small libraries are done by then
_log = logging.getLogger("skillret.serve")


class _Done(NamedTuple, Generic[_T]):
    generation: str
    result: _T | None
    error: Exception | None


class Background(Generic[_T]):
    """Makes something of libraries in threads of its own, one library at a time.

    Args:
        name: Of the work, for the log.
        work: Makes it of a library, given what was made of an earlier generation if anything was.
    """

    def __init__(self, name: str, work: Callable[[str, _T | None], _T]) -> None:
        self._name, self._work = name, work
        self._lock, self._one = threading.Lock(), threading.Lock()
        self._done: OrderedDict[str, _Done[_T]] = OrderedDict()
        self._running: dict[str, threading.Thread] = {}

    def get(self, library: str, generation: str) -> _T | None:
        """The result for a generation; None while it is being made, which begins here.

        Raises:
            SkillretError: If it could not be made, or `OSError`.
        """
        with self._lock:
            thread = self._running.get(library)
            if thread is None:
                done = self._done.get(library)
                if done is not None and done.generation == generation:
                    return _result(done)
                thread = threading.Thread(
                    target=self._make,
                    args=(library, generation),
                    name=f"skillret-{self._name}",
                    daemon=True,
                )
                self._running[library] = thread
                thread.start()
        thread.join(_AT_ONCE)
        with self._lock:
            done = self._done.get(library)
        return _result(done) if done is not None and done.generation == generation else None

    def _make(self, library: str, generation: str) -> None:
        with self._lock:
            before = self._done.get(library)
        result, error = None, None
        try:
            with self._one:
                result = self._work(library, None if before is None else before.result)
        except (SkillretError, OSError) as e:
            error = e
        except Exception as e:  # told to who asks, and written down: a thread has no one else
            _log.exception("the %s of %s", self._name, library)
            error = SkillretError(f"the {self._name} cannot be made: {type(e).__name__}")
        with self._lock:
            self._done[library] = _Done(generation, result, error)
            self._done.move_to_end(library)
            while len(self._done) > _KEPT:
                self._done.popitem(last=False)
            del self._running[library]


def _result(done: _Done[_T]) -> _T | None:
    if done.error is not None:
        raise done.error
    return done.result
