"""The indexes in the OS's data directory: `skillret index list --all` and `index clean`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from skillret.cli.common import note, print_json, printable
from skillret.errors import IndexCorruptError, SkillretError, StoreError
from skillret.index import Index, Sources
from skillret.index.damage import kept_as
from skillret.index.sources import default_indexes
from skillret.messages import counted

__all__ = ["clean", "list_all"]


def list_all(*, json_wanted: bool) -> int:
    """Print a line for each index."""
    rows = [_summary(path) for path in default_indexes()]
    if json_wanted:
        print_json(rows)
    else:
        for row in rows:
            places = ", ".join(row["roots"]) or row["dataset"] or row["error"] or "no folder"
            gone = " (gone)" if row["gone"] else ""
            size = f"{row['bytes'] / 1e6:.1f} MB"
            cells = (row["index"], counted(row["skills"], "skill"), size, places + gone)
            print("\t".join(map(printable, cells)))
    return 0


def _summary(path: Path) -> dict[str, Any]:
    """What an index of the data directory holds, and whether all it was made of is gone."""
    files = [path, *path.with_name(path.name + ".cache").rglob("*")]
    row: dict[str, Any] = {
        "index": str(path),
        "bytes": sum(f.stat().st_size for f in files if f.is_file()),
        "skills": 0,
        "roots": [],
        "dataset": None,
        "gone": False,
        "error": None,
    }
    try:
        with Index.open(path) as index:
            info = index.info()
            sources = Sources.from_info(info)
    except IndexCorruptError as e:
        return row | {"error": f"{e.what}; it is made anew when it is next used"}
    except SkillretError as e:
        return row | {"error": str(e)}
    places = [place for place, _ in sources.roots]
    every = [*places, *([sources.dataset] if sources.dataset else [])]
    # A data set on the hub is named by no path.
    gone = bool(every) and not any(_exists(place) for place in every)
    return row | {
        "skills": info.skills,
        "roots": places,
        "dataset": sources.dataset,
        "gone": gone,
    }


def clean(*, dry_run: bool) -> int:
    """Delete the indexes whose folders are all gone."""
    deleted, freed = 0, 0
    for row in map(_summary, default_indexes()):
        if not row["gone"]:
            continue
        try:
            if not dry_run:
                _delete(Path(row["index"]))
        except StoreError as e:
            note(f"left there: {e}")
            continue
        places = ", ".join(row["roots"]) or row["dataset"]
        print("\t".join(map(printable, (row["index"], counted(row["skills"], "skill"), places))))
        deleted, freed = deleted + 1, freed + row["bytes"]
    verb = "would be deleted" if dry_run else "deleted"
    what = f"{counted(deleted, 'index')} of folders that are gone"
    note(f"{what} {verb}, {freed / 1e6:.1f} MB")
    return 0


def _exists(place: str) -> bool:
    path = Path(place)
    return not path.is_absolute() or path.exists()


def _delete(path: Path) -> None:
    """Delete an index and its cache.

    Raises:
        IndexBusyError: If another process is writing it.
        StoreError: If it cannot be deleted.
    """
    with Index.open(path) as index, index.writing(timeout=0):
        for file in (path, kept_as(path)):
            for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
        shutil.rmtree(path.with_name(f"{path.name}.cache"), ignore_errors=True)
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
