"""Extras of the package: whether what a command needs of them is there, and how to get it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec

from skillret.errors import MissingExtraError

__all__ = ["require"]

_CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def require(extra: str, what: str, modules: Sequence[str], *, instead: str = "") -> None:
    """Make sure, before any work, that the modules of an extra can be imported.

    Nothing is imported, so this costs no time.

    Args:
        extra: Its name in `pyproject.toml`: `evaluate`, `serve`, `train`, ...
        what: What needs them, as the message's subject: "training".
        modules: Names of modules; of one with a dot, what holds it is imported.
        instead: Another way out than to install, as the message's end.

    Raises:
        MissingExtraError: If one is not installed; the message names the commands to get it.
    """
    missing = [name for name in modules if not _is_there(name)]
    if not missing:
        return
    hints = [f"pip install 'skillret[{extra}]', in a checkout pip install '.[{extra}]'"]
    if "torch" in missing:
        hints.append(f"without a GPU, first pip install {_torch()} --index-url {_CPU_WHEELS}")
    if instead:
        hints.append(instead)
    raise MissingExtraError(f"{what} needs {', '.join(missing)}: {'; '.join(hints)}")


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # nor is what would hold it
        return False
    except ValueError:  # it is loaded, and by no ordinary way
        return True


def _torch() -> str:
    """The requirement that the extra has; with another version pip would load torch again."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed = requires("skillret") or []
    except PackageNotFoundError:  # run from its sources
        listed = []
    found = (re.match(r"torch==[\w.]+", line) for line in listed)
    return next((match.group() for match in found if match), "torch")
