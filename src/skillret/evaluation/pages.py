"""Self-contained HTML pages: no script, no link outside, pictures inside, texts escaped.

Skills and queries are untrusted. Every text is escaped by the template engine, control characters
are made visible, and the page forbids itself to load or run anything.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skillret._version import __version__
from skillret.errors import InputError
from skillret.extras import require
from skillret.files import expand, replacing, write_text
from skillret.messages import counted

__all__ = ["FIGURES", "prepare_folder", "shown", "write_page"]

# Pictures by name of file; those of an earlier report in the same folder are removed.
_PAGE, _MARK = "report.html", b'<meta name="generator" content="skillret">'
_NEEDED = ("jinja2", "matplotlib")
FIGURES = ("depth.png", "groups.png", "scores.png", "abstention.png", "erasure.png")


def prepare_folder(name: str) -> Path:
    """The folder of a report, made if need be: found unusable before hours of encoding.

    Raises:
        MissingExtraError: If a library that draws and fills reports is not installed.
        InputError: If it cannot be made or written to, or holds files of a report's names that are
            not those of an earlier report.
    """
    require("evaluate", "a report", _NEEDED)
    folder = expand(name)
    page = folder / _PAGE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = page.is_file() and _MARK in _start(page)
        taken = [n for n in (_PAGE, *FIGURES) if (folder / n).exists() or (folder / n).is_symlink()]
    except OSError as e:
        raise InputError(f"cannot make the report's folder {name}: {e.strerror or e}") from None
    if taken and not ours:
        raise InputError(f"{folder / taken[0]} is no file of a report; give another folder")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {name} cannot be written to; give another one")
    return folder


def _start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(1000)


def shown(text: str, limit: int = 600) -> str:
    """Untrusted text for a page: cut, without control characters and hidden direction marks."""
    text = text.strip()
    cut = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in cut)


def _signed(value: float, digits: int) -> str:
    """A difference, with a minus as wide as the plus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def write_page(
    folder: Path, template: str, context: Mapping[str, Any], figures: Mapping[str, bytes]
) -> Path:
    """Write `report.html` and its PNGs.

    Args:
        folder: Where.
        template: Name of a template of this package.
        context: What it is filled with; `figures`, `version` and `clean` are added.
        figures: PNGs by name of file.

    Raises:
        InputError: If the folder holds what no report is.
        MissingExtraError: If a library is not installed.
        SkillretError: If a file cannot be written.
    """
    require("evaluate", "a report", _NEEDED)
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skillret.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = shown
    environment.filters["signed"] = _signed
    environment.filters["counted"] = counted
    data = {
        name: f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
        for name, png in figures.items()
    }
    html = environment.get_template(template).render(figures=data, version=__version__, **context)
    page = prepare_folder(str(folder)) / _PAGE
    for name in FIGURES:
        if name in figures:
            with replacing(folder / name) as out:
                out.write(figures[name])
        else:
            (folder / name).unlink(missing_ok=True)
    write_text(page, html)
    return page
