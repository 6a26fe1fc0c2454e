"""`mode` in its user's settings, as `install --mode` writes it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from skillret.agents.install import files
from skillret.agents.install.changes import Change, Step, apply
from skillret.agents.install.manifest import Manifest
from skillret.errors import InputError
from skillret.settings import Eagerness, user_file

__all__ = ["MODE", "set_mode"]

MODE = "mode"  # as an owner


def set_mode(mode: Eagerness, manifest: Manifest, *, dry_run: bool = False) -> Step:
    """Write it, unless its user has set something else by hand.

    Raises:
        InputError: If there is no folder for settings.
    """
    file = user_file()
    if file is None:
        raise InputError("there is no home directory for settings; set SKILLRET_MODE instead")
    home = Path.home()
    change = Change(
        MODE,
        "Settings",
        file,
        home if file.is_relative_to(home) else file.parent,
        lines=f'mode = "{mode}"  # by `skillret install`\n',
        first=True,
        check=partial(_check, file, mode),
    )
    try:
        return apply(change, manifest, dry_run=dry_run)
    except _SameError:
        return Step(MODE, change.title, file, "unchanged")


class _SameError(Exception):
    """It is set already, by hand."""


def _check(file: Path, mode: Eagerness, text: str) -> None:
    """Make sure that nothing else is set.

    Raises:
        NotOursError: If it is, or the file is no TOML.
        _SameError: If the very same is.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as e:
        raise files.NotOursError(f"{file} is left as it is: not valid TOML: {e}") from None
    if table.get("mode") == mode:
        raise _SameError
    if "mode" in table:
        raise files.NotOursError(
            f"{file} is left as it is: it sets mode already; change it there, to {mode!r}"
        )
