"""What a process makes once, whichever thread asks first, and a child of a fork makes anew."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

__all__ = ["PerProcess"]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that is made when it is first asked for, and once, in each process.

    Once it is made, asking takes no lock. No fork happens while one is being made, so no child
    inherits half of one, nor the lock. A child forgets its parent's value: the threads that the
    value counts on do not exist there, and a lock inside may be taken for ever.

    Args:
        make: Makes the value; what it raises reaches whoever asked, and the next one asks again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._value: T | None = None
        _all.add(self)

    def __call__(self) -> T:
        """The value."""
        value = self._value
        if value is None:
            with _making:
                if self._value is None:
                    self._value = self._make()
                value = self._value
        return value

    def _forget(self) -> None:
        value, self._value = self._value, None
        if value is not None:
            import ctypes

            # Never destroyed either: onnxruntime would wait for its threads, which are not there.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


_all: WeakSet[PerProcess[Any]] = WeakSet()
_making = threading.RLock()  # one that makes a value may need another value


def _after_fork() -> None:
    for one in list(_all):
        one._forget()
    _making.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_making.acquire, after_in_parent=_making.release, after_in_child=_after_fork
    )
