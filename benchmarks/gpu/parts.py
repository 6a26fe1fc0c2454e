"""The parts of a GPU session, each in a process of its own with its own time limit."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.gpu.results import Session

from skillret.errors import SkillretError

__all__ = ["PARTS", "run_part"]

# Module, function, and seconds that it may take: together a little less than ten minutes.
PARTS = {
    "inputs": ("transfer", "receive", 40),
    "throughput": ("throughput", "measure_throughput", 160),
    "indexing": ("indexing", "measure_indexing", 60),
    "training": ("stages", "train_stages", 300),
}


def _load(name: str) -> Callable[[Session], None]:
    """The function of a part, with the libraries that it needs."""
    module, function, _ = PARTS[name]
    part: Callable[[Session], None] = getattr(import_module(f"benchmarks.gpu.{module}"), function)
    return part


def run_part(name: str, session: Session, limit: float) -> str:
    """Run one part; `done`, or how it has failed."""
    method = "spawn"  # a part begins with a GPU that nothing has touched
    if session.dry:
        method = "fork"  # without one the libraries need not be loaded in each part anew
        _load(name)
        if "torch" in sys.modules:
            import_module("torch._dynamo")  # of the first forward pass
        gc.freeze()
    context: Any = multiprocessing.get_context(method)
    child = context.Process(target=_child, args=(name, session))
    sys.stdout.flush()
    child.start()
    try:
        child.join(limit)
        if child.exitcode is None:
            return f"failed: not done after {limit:g} seconds"
        if child.exitcode:
            return f"failed: {_ended(child.exitcode)}, see the log"
        return "done"
    finally:
        _end(child)


def _ended(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _child(name: str, session: Session) -> None:
    os.setpgid(0, 0)  # what it starts ends with it
    try:
        _load(name)(session)
    except SkillretError as e:
        print(e, flush=True)
        raise SystemExit(1) from None


def _end(child: Any) -> None:
    """End a part with everything that it has started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()  # it has not come so far as to have a group of its own
    child.join()
